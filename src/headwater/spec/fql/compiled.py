"""From the tree to a function: closures over an event's body, built once and called for each event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.spec.fql.comparing import RELATIONS
from headwater.spec.fql.functions import FUNCTIONS
from headwater.spec.fql.glob import compile_glob
from headwater.spec.fql.paths import Read, follow
from headwater.spec.fql.tree import (
    All,
    And,
    Call,
    Compare,
    Condition,
    List,
    Not,
    Operand,
    Or,
    Path,
    Plain,
    Query,
    Text,
    Value,
)

Body = dict[str, Any]
Holds = Callable[[Body], bool]
"""From an event's body to whether a query holds for it."""


def compile_query(query: Query) -> Holds:
    """The query as a function of an event's body, which never raises and is linear in the query and the event.

    What is missing is null; null, and anything else that is not true, counts as false (contract: connections 6.6).
    """
    return _always if isinstance(query.body, All) else _condition(query.body)


def all_of(parts: list[Holds]) -> Holds:
    """Holds where all of them do, asked in their order."""
    if len(parts) == 2:
        first, second = parts
        return lambda body: first(body) and second(body)
    return lambda body: all(part(body) for part in parts)


def one_of(parts: list[Holds]) -> Holds:
    """Holds where one of them does, asked in their order."""
    if len(parts) == 2:
        first, second = parts
        return lambda body: first(body) or second(body)
    return lambda body: any(part(body) for part in parts)


def _always(body: Body) -> bool:
    return True


def _condition(part: Condition) -> Holds:
    match part:
        case And():
            return all_of([_condition(each) for each in part.parts])
        case Or():
            return one_of([_condition(each) for each in part.parts])
        case Not():
            holds = _condition(part.part)
            return lambda body: not holds(body)
        case Compare():
            return _compare(part)
        case _:
            read = _operand(part)
            return lambda body: read(body) is True


def _compare(part: Compare) -> Holds:
    left, right, relation = _operand(part.left), part.right, RELATIONS[part.by]
    if isinstance(right, Path | Call):
        other = _operand(right)
        return lambda body: relation(left(body), other(body))
    value = constant(right)
    if part.by == "=" and isinstance(value, str):
        return lambda body: left(body) == value
    if part.by == "=" and value is None:
        return lambda body: left(body) is None
    if part.by == "in" and all(isinstance(each, str) for each in value):
        texts = frozenset(value)
        return lambda body: isinstance(found := left(body), str) and found in texts
    return lambda body: relation(left(body), value)


def _operand(part: Operand) -> Read:
    if isinstance(part, Path):
        return follow(part.parts)
    if isinstance(part, Call):
        return _call(part)
    value = constant(part)
    return lambda body: value


def _call(part: Call) -> Read:
    run = FUNCTIONS[part.name].run
    reads = [_operand(each) for each in part.arguments]
    first = reads[0]
    if len(reads) == 1:
        return lambda body: run(first(body))
    if part.name == "match" and isinstance(glob := part.arguments[1], Text):
        matches = compile_glob(glob.value)
        return lambda body: isinstance(text := first(body), str) and matches(text)
    return lambda body: run(*[read(body) for read in reads])


def constant(part: Value) -> Any:
    """The value that stands in the query."""
    match part:
        case Text() | Plain():
            return part.value
        case List():
            return [constant(each) for each in part.items]
