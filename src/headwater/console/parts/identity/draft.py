"""Identity rules while they are changed in a form: what was typed, as the rules that operations take. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from headwater.manage.operations.identity_rules import BlockedShape, IdentifierTypeShape

MOST_BLOCKED: Final = 100
FREQUENCIES: Final = {
    "EVER": "ever",
    "DAILY": "a day",
    "WEEKLY": "a week",
    "MONTHLY": "a month",
    "ANNUALLY": "a year",
}
COLLECTIONS: Final = {"users": "people", "accounts": "companies"}


def in_order(kinds: Sequence[IdentifierTypeShape], before: Sequence[IdentifierTypeShape]) -> list[IdentifierTypeShape]:
    """The types with priorities that say their order; those before are kept if they say it already."""
    kept = [one.name for one in before if any(one.name == other.name for other in kinds)]
    if [one.name for one in kinds if one.name in kept] == kept and _says_order(kinds):
        return list(kinds)
    return [msgspec.structs.replace(one, priority=at) for at, one in enumerate(kinds, 1)]


def _says_order(kinds: Sequence[IdentifierTypeShape]) -> bool:
    ranks = [(one.priority or 1_000_000, one.name) for one in kinds]
    return ranks == sorted(ranks)


def read_blocked(values: str, patterns: str) -> tuple[BlockedShape, ...]:
    """Blocked values and patterns, one a line, each once."""
    exact = [BlockedShape(value=line, kind="exact") for line in _lines(values)]
    return (*exact, *(BlockedShape(value=line, kind="pattern") for line in _lines(patterns)))


def write_blocked(blocked: Sequence[BlockedShape]) -> tuple[str, str]:
    """The same as two texts: values and patterns."""
    kinds = ("exact", "pattern")
    values, patterns = ("\n".join(one.value for one in blocked if one.kind == kind) for kind in kinds)
    return values, patterns


def blocked_words(blocked: Sequence[BlockedShape]) -> str:
    """How many there are, to stand on a button."""
    if not blocked:
        return "Block values"
    return "1 blocked" if len(blocked) == 1 else f"{len(blocked)} blocked"


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
