"""A space: profiles of one kind of people and companies, and the rules by which events are told to be theirs.

Rules apply to events that come after they are saved; profiles that exist are not rewritten (contract:
profiles-governance 1.1, 1.2, 1.5). An identifier is written `type:value`, such as `user_id:u1`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, get_args

import msgspec

from headwater.spec.errors import SetupError

Collection = Literal["users", "accounts"]
Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "ANNUALLY", "EVER"]
BlockedKind = Literal["exact", "pattern"]
AliasRule = Literal["merge", "record"]

_DAY_MS = 86_400_000
WINDOW_MS: Final[dict[str, int]] = {
    "DAILY": _DAY_MS,
    "WEEKLY": 7 * _DAY_MS,
    "MONTHLY": 30 * _DAY_MS,
    "ANNUALLY": 365 * _DAY_MS,
}
"""How far back added values count, in milliseconds; EVER is not in it (1.5)."""

DEFAULT_LIMIT: Final = 5
MAX_TYPES: Final = 100
MAX_FILTERS: Final = 10
"""Filters of a space (4.7)."""

MAX_VALUE_CHARS: Final = 500
"""A longer value is no identifier: databases index no more, and nobody is called that."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,99}")
_LAST = 1_000_000
_ATOM = r"(?:[^\\^$.|?*+()\[\]{}]|\\[dDwWsS]|\\[^a-zA-Z0-9]|\.|\[\^?(?:[^\\\[\]]|\\[^a-zA-Z0-9]|\\[dDwWsS])+\])"
_TIMES = r"(?:[*+?]|\{\d{1,2}(?:,\d{0,2})?\})"
_SAFE = re.compile(rf"\^?(?:{_ATOM}{_TIMES}?)*\$?")
_VARIABLE = re.compile(rf"{_ATOM}(?:[*+?]|\{{\d{{1,2}},\d{{0,2}}\}})")
_MAX_PATTERN_CHARS = 200


class Blocked(msgspec.Struct, frozen=True):
    """A value that is not taken as an identifier of its type, or a pattern of such values.

    A pattern is a regular expression of characters, sets, `.`, `^`, `$` and repetitions. Groups, alternatives and
    references are refused, and so is a pattern that repeats in more than two places (one, if it does not begin with
    `^`): what is left cannot be made slow by a value, which is at most 500 characters long. A library without
    backtracking would allow more, but for this alone it would be a dependency of every event.
    """

    value: str
    kind: BlockedKind = "exact"


class IdentifierType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of identifier: how many values of it a profile may have, and in which time.

    `priority` 1 is the strongest; types without one follow those with one, by name.
    """

    name: str
    collection: Collection = "users"
    limit: int = DEFAULT_LIMIT
    frequency: Frequency = "EVER"
    blocked: tuple[Blocked, ...] = ()
    priority: int | None = None


DEFAULT_TYPES: Final = (
    IdentifierType(name="user_id", limit=1, priority=1),
    IdentifierType(name="email", priority=2),
    IdentifierType(name="android.id"),
    IdentifierType(name="android.idfa"),
    IdentifierType(name="android.push_token"),
    IdentifierType(name="anonymous_id"),
    IdentifierType(name="ga_client_id"),
    IdentifierType(name="group_id", collection="accounts"),
    IdentifierType(name="ios.id"),
    IdentifierType(name="ios.idfa"),
    IdentifierType(name="ios.push_token"),
)
"""The types of a new space (1.2)."""


class SpaceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that keeps the events for which it holds out of a space, whatever their source (4.7).

    `condition` is in FQL (spec.fql). A filter that is not enabled, or does not `drop`, keeps nothing out. Moments are
    in milliseconds since 1970.
    """

    id: str
    name: str
    description: str = ""
    condition: str
    enabled: bool = True
    drop: bool = True
    created_at: int = 0
    updated_at: int = 0


class Space(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space and the sources whose events it takes.

    `alias` says what an alias call does: `merge` the profiles of its two ids, or be `record`ed only (1.9). `rewired`
    grows when somebody undoes a merge or removes an identifier, so that whoever remembers parts of the graph forgets
    them.
    """

    id: str
    slug: str
    name: str
    identifiers: tuple[IdentifierType, ...] = DEFAULT_TYPES
    alias: AliasRule = "merge"
    all_sources: bool = True
    source_ids: tuple[str, ...] = ()
    rewired: int = 0
    created_at: int = 0
    filters: tuple[SpaceFilter, ...] = ()

    def takes(self, source_id: str) -> bool:
        """Are the events of that source this space's?"""
        return self.all_sources or source_id in self.source_ids


def is_type_name(name: str) -> bool:
    """May an identifier type be called that? In lower case, as a profile is looked up by it (1.3)."""
    return _NAME.fullmatch(name) is not None


def rank(kind: IdentifierType | str) -> tuple[int, str]:
    """What types are ordered by, the strongest first. A type that the space does not know ranks by its name."""
    if isinstance(kind, str):
        return _LAST, kind
    return _LAST if kind.priority is None else kind.priority, kind.name


def check(identifiers: Sequence[IdentifierType]) -> None:
    """Raises SetupError, with a sentence for the owner, when these cannot be a space's rules."""
    if not identifiers or len(identifiers) > MAX_TYPES:
        raise SetupError(f"A space has 1 to {MAX_TYPES} identifier types.")
    names = [kind.name for kind in identifiers]
    for name in names:
        if not is_type_name(name):
            raise SetupError(f"{name!r} cannot name an identifier type: use a-z, 0-9, '_', '.' and '-'.")
        if names.count(name) > 1:
            raise SetupError(f"The identifier type {name} is there twice.")
    for kind in identifiers:
        _check_type(kind)


def _check_type(kind: IdentifierType) -> None:
    if kind.limit < 1:
        raise SetupError(f"The limit of {kind.name} must be 1 or more.")
    if kind.priority is not None and not 1 <= kind.priority < _LAST:
        raise SetupError(f"The priority of {kind.name} must be 1 or more.")
    if kind.collection not in get_args(Collection) or kind.frequency not in get_args(Frequency):
        raise SetupError(f"{kind.name} has a collection or frequency that does not exist.")
    if len(kind.blocked) > 100:
        raise SetupError(f"{kind.name} has more than 100 blocked values.")
    for blocked in kind.blocked:
        if blocked.kind == "pattern":
            compile_pattern(blocked.value)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A blocked pattern, ready to `search`. Raises SetupError for one that is not of the kind Blocked describes."""
    if len(pattern) > _MAX_PATTERN_CHARS or _SAFE.fullmatch(pattern) is None:
        raise SetupError(f"The pattern {pattern[:80]!r} may hold characters, sets, '.', '^', '$' and repetitions only.")
    repeats = len(_VARIABLE.findall(pattern))
    if repeats + (not pattern.startswith("^")) > 2:
        raise SetupError(f"The pattern {pattern!r} repeats in too many places; begin it with '^' and use at most two.")
    try:
        return re.compile(pattern.removesuffix("$") + r"\Z" if _ends(pattern) else pattern)
    except (re.error, OverflowError) as error:
        raise SetupError(f"The pattern {pattern!r} is not a regular expression: {error}.") from error


def _ends(pattern: str) -> bool:
    return pattern.endswith("$") and not pattern.endswith("\\$")
