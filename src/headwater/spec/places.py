"""Names of topics and subjects, made from a template and an event's type and name.

`{type}` stands for the event's type, `{event}` for its name in snake case, or for `unnamed` when nothing is left of it.
Both are letters, digits and underscores alone, so an event cannot choose a name that the template does not allow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from headwater.spec.errors import SetupError
from headwater.spec.naming import snake_case

_LONGEST: Final = 120
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_KNOWN: Final = ("type", "event")
_UNSAFE: Final = re.compile(r"[^a-z0-9_]")


def namer(template: str) -> Callable[[str, str], str]:
    """A function from an event's type and name to the topic's name."""
    if "{" not in template:
        return lambda kind, name: template
    named = "{event}" in template

    def make(kind: str, name: str) -> str:
        made = template.replace("{type}", _UNSAFE.sub("", kind) or "unknown")
        return made.replace("{event}", snake_case(name)[:_LONGEST] or "unnamed") if named else made

    return make


def check_template(template: object, plain: re.Pattern[str], what: str) -> None:
    """Raise SetupError for a template with an unknown place, or with text that `plain` does not match whole."""
    if not isinstance(template, str) or not template:
        raise SetupError(f"The {what} is missing.")
    unknown = [place for place in _PLACE.findall(template) if place not in _KNOWN]
    if unknown:
        raise SetupError(f"The {what} has an unknown place {{{unknown[0]}}}; there are {{type}} and {{event}}.")
    if not plain.fullmatch(_PLACE.sub("x", template)):
        raise SetupError(f"The {what} {template!r} has characters that its names may not have, or is too long.")
