"""What a query says, as frozen data: conditions, scalars, streams of events and the filters on them.

Two trees are equal when they say the same, wherever they stand in their texts. Only what may follow what in a chain
can be built at all; the rest of the rules is in `check`.
"""

from __future__ import annotations

from typing import Literal as OneOf

import msgspec

Unit = OneOf["second", "hour", "day"]
UNIT_MS: dict[Unit, int] = {"second": 1_000, "hour": 3_600_000, "day": 86_400_000}
"""The units of time, in milliseconds."""

Reducer = OneOf["count", "sum", "avg", "max", "min", "mode", "first", "last", "unique"]
Reading = OneOf["number", "string", "array"]
Value = str | int | float | bool


class Place(msgspec.Struct, frozen=True, eq=False):
    """Where something stands in its text. Any two are equal: a place does not change what is meant."""

    offset: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place)

    def __hash__(self) -> int:
        return 0


class Text(msgspec.Struct, frozen=True, eq=False):
    """The text that a query was read from, for messages. Any two are equal."""

    whole: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text)

    def __hash__(self) -> int:
        return 0


class Node(msgspec.Struct, frozen=True):
    """What every part of a query has: its place, which is not part of its meaning."""

    place: Place = Place()


class Duration(msgspec.Struct, frozen=True):
    """A length of time, such as `7 days`."""

    amount: int
    unit: Unit

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return self.amount * UNIT_MS[self.unit]


class Literal(Node, frozen=True, kw_only=True):
    """A value that stands in the query. Dates are text."""

    value: Value


class Trait(Node, frozen=True, kw_only=True):
    """A trait of the profile, or the key of an audience; dots lead into objects."""

    name: str


class Property(Node, frozen=True, kw_only=True):
    """A property of the event, or with `parent` of the event around it in a funnel."""

    name: str
    parent: bool = False


class Context(Node, frozen=True, kw_only=True):
    """A field of the event's context."""

    name: str


class Event(Node, frozen=True, kw_only=True):
    """All events of one name."""

    name: str


class Entity(Node, frozen=True, kw_only=True):
    """Rows of a linked table (not built: `check` refuses it)."""

    slug: str


class Where(Node, frozen=True, kw_only=True):
    """Keeps the items for which the condition holds."""

    condition: Condition


class Sources(Node, frozen=True, kw_only=True):
    """Drops the items of these sources."""

    exclude: tuple[str, ...]


class Within(Node, frozen=True, kw_only=True):
    """Keeps items no older than `duration`; with `parent`, no later than that after the event around it."""

    duration: Duration
    parent: bool = False


class Between(Node, frozen=True, kw_only=True):
    """Keeps items whose age lies between the two, ends included, in whichever order they are given."""

    start: Duration
    end: Duration


class ExpiresAfter(Node, frozen=True, kw_only=True):
    """Keeps the latest session: items that follow each other by no more than `gap`."""

    gap: Duration


Filter = Where | Sources | Within | Between | ExpiresAfter


class Stream(Node, frozen=True, kw_only=True):
    """Events of one name, filtered in the order written."""

    of: Event | Entity
    filters: tuple[Filter, ...] = ()


class Reduced(Node, frozen=True, kw_only=True):
    """A stream brought to one value; `unique` brings it to a list."""

    stream: Stream
    by: Reducer
    of: Property | Context | None = None
    reading: Reading = "string"
    least: int = 2
    """How often the most frequent value must have occurred; `mode` alone reads it."""


class Size(Node, frozen=True, kw_only=True):
    """How many values a unique list holds."""

    of: Reduced


Scalar = Literal | Trait | Property | Context | Reduced | Size


class Compare(Node, frozen=True, kw_only=True):
    """A comparison by name, with a scalar, literals or a duration to compare with."""

    left: Scalar
    by: str
    arguments: tuple[Scalar | Duration, ...] = ()


class Not(Node, frozen=True, kw_only=True):
    """True when its part is false."""

    part: Condition


class AnyUser(Node, frozen=True, kw_only=True):
    """At least one linked user of the account satisfies the part."""

    part: Condition


class AllUsers(Node, frozen=True, kw_only=True):
    """Every linked user of the account satisfies the part; also where there is none."""

    part: Condition


class And(Node, frozen=True, kw_only=True):
    """Every part holds. No part is itself an And."""

    parts: tuple[Condition, ...]


class Or(Node, frozen=True, kw_only=True):
    """At least one part holds. No part is itself an Or."""

    parts: tuple[Condition, ...]


Condition = Compare | Not | AnyUser | AllUsers | And | Or


class Query(msgspec.Struct, frozen=True):
    """A whole definition: a condition makes an audience, a scalar a computed trait."""

    body: Condition | Scalar
    text: Text = Text()


def both(parts: list[Condition], place: Place) -> Condition:
    """The parts joined by AND, as flat as can be."""
    if len(parts) == 1:
        return parts[0]
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    return And(parts=tuple(flat), place=place)


def either(parts: list[Condition], place: Place) -> Condition:
    """The parts joined by OR, as flat as can be."""
    if len(parts) == 1:
        return parts[0]
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,))]
    return Or(parts=tuple(flat), place=place)
