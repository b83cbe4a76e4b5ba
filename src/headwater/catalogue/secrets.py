"""What of a connection must not be told to anybody but the tool itself."""

from __future__ import annotations

from typing import Any

from headwater.catalogue.calls import Tokens
from headwater.catalogue.definitions import definition, names

_SHORT_CHARS = 6
_MASK = "••••"
_NO_SECRETS = frozenset({"clientId"})


def secrets(slug: str, settings: dict[str, Any], tokens: Tokens) -> tuple[str, ...]:
    """The values of a destination's secret settings, and its tokens."""
    fields = definition(slug).fields if slug in names() else ()
    held = [settings.get(field.key) for field in fields if field.secret]
    held += [value for name, value in tokens.items() if name not in _NO_SECRETS]
    return tuple(value for value in held if isinstance(value, str) and value)


def masked(text: str, private: tuple[str, ...]) -> str:
    """What a tool said, without the secrets that it repeats; those of a few characters stand in any text by chance."""
    for secret in private:
        if len(secret) >= _SHORT_CHARS:
            text = text.replace(secret, _MASK)
    return text
