"""The rules that a chain alone does not show: what a definition must end in, and where each part may stand (3.13)."""

from __future__ import annotations

from collections.abc import Set
from typing import Literal as OneOf
from typing import NoReturn

import msgspec

from headwater.profiles.language.errors import QueryError
from headwater.profiles.language.paths import EACH, split
from headwater.profiles.language.tree import (
    AllUsers,
    And,
    AnyUser,
    Between,
    Compare,
    Condition,
    Context,
    Duration,
    Entity,
    ExpiresAfter,
    Filter,
    Literal,
    Node,
    Not,
    Or,
    Property,
    Query,
    Reduced,
    Scalar,
    Size,
    Sources,
    Trait,
    Where,
    Within,
)
from headwater.profiles.language.walking import parts
from headwater.profiles.language.words import COMPARATORS
from headwater.spec.timestamps import is_wire_form, parse_moment

Kind = OneOf["audience", "trait"]
Level = OneOf["USERS", "ACCOUNTS"]

MAX_FUNNEL = 3
"""Events inside each other in a funnel."""

_DAY = 86_400_000
_LONGEST_MS = 3_650 * _DAY
_SHORTEST_GAP_MS, _LONGEST_GAP_MS = 30 * 60_000, 90 * _DAY


class _Place(msgspec.Struct, frozen=True):
    """Where in a query the check stands: how many events are around, and whether ANY or ALL is."""

    events: int = 0
    quantified: bool = False
    reducing: bool = False


def kind_of(query: Query) -> Kind:
    """A condition makes an audience, anything else a trait."""
    return "audience" if isinstance(query.body, Condition) else "trait"


def check(query: Query, kind: Kind = "audience", level: Level = "USERS") -> None:
    """Hold a query against the rules of its kind and level. Raises QueryError at the first part that breaks one."""
    _Check(query, kind, level).whole()


def refuse_traits(query: Query, keys: Set[str], sentence: str) -> None:
    """Hold a query against traits that it may not name. Raises QueryError at the first one."""
    for part in parts(query.body):
        if isinstance(part, Trait) and split(part.name)[0] in keys:
            raise QueryError(sentence, query.text.whole, part.place.offset)


class _Check:
    """One query under its rules."""

    def __init__(self, query: Query, kind: Kind, level: Level) -> None:
        self._query = query
        self._kind = kind
        self._level = level

    def whole(self) -> None:
        body = self._query.body
        if isinstance(body, Condition):
            if self._kind == "trait":
                self._refuse("a computed trait is a value, such as `event('Order Completed').count()`, "
                             "and not a condition", body)  # fmt: skip
            self._condition(body, _Place())
            return
        if self._kind == "audience":
            end = len(self._query.text.whole.rstrip())
            raise QueryError("an audience is a condition: a comparison is expected, such as `>= 1`",
                             self._query.text.whole, end)  # fmt: skip
        if isinstance(body, Literal):
            self._refuse("a computed trait is computed: begin with event('...') or trait('...')", body)
        self._scalar(body, _Place())

    def _condition(self, part: Condition, place: _Place) -> None:
        match part:
            case Compare():
                self._compare(part, place)
            case And() | Or():
                for each in part.parts:
                    self._condition(each, place)
            case Not():
                self._condition(part.part, place)
            case AnyUser() | AllUsers():
                self._quantifier(part, place)

    def _quantifier(self, part: AnyUser | AllUsers, place: _Place) -> None:
        word = "ANY" if isinstance(part, AnyUser) else "ALL"
        if self._level == "USERS":
            self._refuse(f"{word} asks the users of an account; this definition is about users", part)
        if place.events:
            self._refuse(f"{word} stands around whole conditions, not inside `where`", part)
        if place.quantified:
            self._refuse("ANY and ALL do not stand inside each other", part)
        self._condition(part.part, msgspec.structs.replace(place, quantified=True))

    def _compare(self, part: Compare, place: _Place) -> None:
        self._scalar(part.left, place)
        takes = COMPARATORS[part.by].takes
        for each in part.arguments:
            if isinstance(each, Duration):
                self._duration(each, part)
            elif takes == "moment":
                self._moment(each, part)
            else:
                self._scalar(each, place)

    def _moment(self, argument: Scalar, part: Compare) -> None:
        value = argument.value if isinstance(argument, Literal) else None
        dated = parse_moment(value)
        zoned = isinstance(value, str) and ("T" not in value or is_wire_form(value) or value.endswith("Z") or
                                            any(sign in value[11:] for sign in "+-"))  # fmt: skip
        if dated is None or not zoned:
            self._refuse(f"`{part.by}` expects a day or an instant with its zone, such as '2024-01-31T12:00:00Z'",
                         argument)  # fmt: skip

    def _scalar(self, part: Scalar, place: _Place) -> None:
        match part:
            case Literal():
                return
            case Trait():
                self._path(part, part.name)
            case Property() | Context():
                self._field(part, place)
            case Size():
                self._reduced(part.of, place)
            case Reduced():
                self._reduced(part, place)

    def _field(self, part: Property | Context, place: _Place) -> None:
        word = "property" if isinstance(part, Property) else "context"
        if not place.events:
            self._refuse(f"`{word}(...)` is one of an event: it stands inside `where(...)` or a reducer", part)
        if isinstance(part, Property) and part.parent and (place.reducing or place.events < 2):
            self._refuse("`parent:` is of the event around a funnel's event; there is none here", part)
        self._path(part, part.name)

    def _path(self, part: Node, name: str) -> None:
        path = split(name)
        if "" in path or path[0] == EACH:
            self._refuse(f"'{name[:40]}' is not a path: names, and `$` after a list's name, are joined by dots", part)

    def _reduced(self, part: Reduced, place: _Place) -> None:
        stream = part.stream
        if isinstance(stream.of, Entity):
            self._refuse("linked audiences are not built: entity(...) cannot be used; event(...) and trait(...) can",
                         stream.of)  # fmt: skip
        inner = _Place(place.events + 1, place.quantified)
        if inner.events > MAX_FUNNEL:
            self._refuse(f"a funnel has at most {MAX_FUNNEL} events inside each other", part.stream)
        if part.least < 1:
            self._refuse("a value occurs once at least; a whole number from 1 is expected", part)
        for each in stream.filters:
            self._filter(each, inner)
        if part.of is not None:
            self._field(part.of, msgspec.structs.replace(inner, reducing=True))

    def _filter(self, part: Filter, place: _Place) -> None:
        match part:
            case Where():
                self._condition(part.condition, place)
            case Sources():
                return
            case Within():
                if part.parent and place.events < 2:
                    self._refuse("`within(parent: ...)` stands on an event inside another event's `where`", part)
                self._duration(part.duration, part)
            case Between():
                self._duration(part.end if part.end.amount else part.start, part)
                self._seconds(part.start, part)
                self._seconds(part.end, part)
            case ExpiresAfter():
                self._session(part, place)

    def _session(self, part: ExpiresAfter, place: _Place) -> None:
        if self._kind == "audience" or place.events > 1:
            self._refuse("sessions are for computed traits: `expires_after` stands on the event of one", part)
        if not _SHORTEST_GAP_MS <= part.gap.ms <= _LONGEST_GAP_MS:
            self._refuse("a session ends after 30 minutes (1800 seconds) to 90 days without an event", part)

    def _duration(self, duration: Duration, part: Node) -> None:
        self._seconds(duration, part)
        if not duration.ms > 0:
            self._refuse("a length of time is at least an hour", part)

    def _seconds(self, duration: Duration, part: Node) -> None:
        if duration.unit == "second":
            self._refuse("seconds are for `expires_after`; hours or days are expected here", part)
        if duration.ms > _LONGEST_MS:
            self._refuse("a length of time is at most 3650 days", part)

    def _refuse(self, sentence: str, part: Node) -> NoReturn:
        raise QueryError(sentence, self._query.text.whole, part.place.offset)
