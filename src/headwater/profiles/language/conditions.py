"""Conditions as functions of one argument: an item as it comes, or a place in a profile's state when it is asked.

The same code makes both; only how a scalar is read differs. Nothing of the tree is looked at when they run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.profiles.language.comparing import NEGATIONS, PAIRS, relative, test
from headwater.profiles.language.tree import (
    And,
    Compare,
    Condition,
    Duration,
    Literal,
    Not,
    Or,
    Property,
    Reduced,
    Scalar,
    Size,
    Trait,
)
from headwater.profiles.language.words import RELATIVE

Ask = Callable[[Any], bool]
Read = Callable[[Any], Any]
Reading = Callable[[Scalar], tuple[Read, bool]]
"""From a scalar to a function that reads it, and whether that gives a list of values."""
Special = Callable[[Condition], Ask | None]
"""A condition that the caller makes himself, or None."""


def condition(part: Condition, reading: Reading, special: Special) -> Ask:
    """The condition as a function of what `reading` reads from."""
    made = special(part)
    if made is not None:
        return made
    match part:
        case Compare():
            return _compare(part, reading)
        case Not():
            inner = condition(part.part, reading, special)
            return lambda here: not inner(here)
        case And():
            return every([condition(each, reading, special) for each in part.parts])
        case Or():
            return _some([condition(each, reading, special) for each in part.parts])
        case _:
            raise AssertionError("check has seen that ANY and ALL stand only where accounts are")


def every(asks: list[Ask]) -> Ask:
    """A function that asks until one says no."""
    if len(asks) == 1:
        return asks[0]
    if len(asks) == 2:
        one, other = asks
        return lambda here: one(here) and other(here)

    def ask(here: Any) -> bool:
        for each in asks:  # noqa: SIM110  # a generator would double the time
            if not each(here):
                return False
        return True

    return ask


def _some(asks: list[Ask]) -> Ask:
    def ask(here: Any) -> bool:
        for each in asks:  # noqa: SIM110
            if each(here):
                return True
        return False

    return ask


def _compare(part: Compare, reading: Reading) -> Ask:
    if part.by in NEGATIONS:
        positive = _compare(Compare(left=part.left, by=NEGATIONS[part.by], arguments=part.arguments), reading)
        return lambda here: not positive(here)
    read, many = reading(part.left)
    first = part.arguments[0] if part.arguments else None
    if isinstance(first, Duration):
        return _relative(part.by, first, read, many=many)
    literals = tuple(each.value for each in part.arguments if isinstance(each, Literal))
    if first is None or literals:
        return _literal(test(part.by, literals), read, many=many)
    assert not isinstance(first, Literal)
    return _pair(PAIRS[part.by], (read, many), reading(first))


def _literal(holds: Ask, read: Read, *, many: bool) -> Ask:
    if many:
        return lambda here: any(holds(value) for value in read(here))
    return lambda here: holds(read(here))


def _relative(by: str, length: Duration, read: Read, *, many: bool) -> Ask:
    holds = relative(by, length.ms)
    if many:
        return lambda here: any(holds(value, here) for value in read(here))
    return lambda here: holds(read(here), here)


def _pair(holds: Callable[[Any, Any], bool], left: tuple[Read, bool], right: tuple[Read, bool]) -> Ask:
    (read, many), (read_other, many_other) = left, right
    if not many and not many_other:
        return lambda here: holds(read(here), read_other(here))
    values, others = _listing(read, many=many), _listing(read_other, many=many_other)
    return lambda here: any(holds(value, other) for value in values(here) for other in others(here))


def _listing(read: Read, *, many: bool) -> Read:
    return (lambda here: read(here) or (None,)) if many else (lambda here: (read(here),))


def conjuncts(part: Condition) -> tuple[Condition, ...]:
    """The conditions that must all hold, one by one."""
    return part.parts if isinstance(part, And) else (part,)


def is_settled(part: Condition) -> bool:
    """Can it be answered once and for all when an item comes: from the item alone, whatever the time?"""
    match part:
        case Compare():
            scalars = [part.left, *(each for each in part.arguments if not isinstance(each, Duration))]
            later = (isinstance(each, Trait | Reduced | Size) or _of_parent(each) for each in scalars)
            return part.by not in RELATIVE and not any(later)
        case And() | Or():
            return all(is_settled(each) for each in part.parts)
        case _:
            return is_settled(part.part)


def _of_parent(scalar: Scalar) -> bool:
    return isinstance(scalar, Property) and scalar.parent
