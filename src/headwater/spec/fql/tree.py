"""What a query says, as frozen data. Two trees are equal when they say the same, wherever they stand in their texts."""

from __future__ import annotations

from typing import Literal as OneOf

import msgspec

Sign = OneOf["=", "!=", ">", ">=", "<", "<=", "in"]
Quote = OneOf["'", '"']


class Place(msgspec.Struct, frozen=True, eq=False):
    """Where something begins in its text. Any two are equal: a place does not change what is meant."""

    offset: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place)

    def __hash__(self) -> int:
        return 0


class Written(msgspec.Struct, frozen=True, eq=False):
    """How a query was written. Any two are equal, like places."""

    text: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Written)

    def __hash__(self) -> int:
        return 0


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What every part of a query has: its place, which is not part of its meaning."""

    place: Place = Place()


class Path(Node, frozen=True, kw_only=True):
    """A field of the event; the parts lead into objects."""

    parts: tuple[str, ...]


class Text(Node, frozen=True, kw_only=True):
    """Text in quotes. Which ones matters to triggers, that read text in single quotes with them (6.9)."""

    value: str
    quote: Quote = '"'


class Plain(Node, frozen=True, kw_only=True):
    """A number, true, false or null."""

    value: float | bool | None


class List(Node, frozen=True, kw_only=True):
    """Values in brackets."""

    items: tuple[Value, ...]


class Call(Node, frozen=True, kw_only=True):
    """A function and what it is given."""

    name: str
    arguments: tuple[Operand, ...]


class Compare(Node, frozen=True, kw_only=True):
    """Two operands and the sign between them."""

    left: Operand
    by: Sign
    right: Operand


class Not(Node, frozen=True, kw_only=True):
    """Holds where its part does not."""

    part: Condition


class And(Node, frozen=True, kw_only=True):
    """Holds where all of its parts do. No part is an And."""

    parts: tuple[Condition, ...]


class Or(Node, frozen=True, kw_only=True):
    """Holds where one of its parts does. No part is an Or."""

    parts: tuple[Condition, ...]


class All(Node, frozen=True, kw_only=True):
    """Holds for every event. It is a whole query, never a part of one."""


Value = Text | Plain | List
Operand = Path | Value | Call
Condition = Compare | Not | And | Or | Call | Path | Plain
"""A Call that gives a bool, and a Plain that is true, false or null."""


class Query(msgspec.Struct, frozen=True):
    """A whole query."""

    body: Condition | All
    written: Written = Written()


def both(parts: list[Condition], place: Place) -> Condition:
    """All of these; what is an And already is taken apart."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(parts=tuple(flat), place=place)


def either(parts: list[Condition], place: Place) -> Condition:
    """One of these; what is an Or already is taken apart."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(parts=tuple(flat), place=place)
