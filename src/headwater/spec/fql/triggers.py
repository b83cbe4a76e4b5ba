"""Triggers of subscriptions: a part of the language, with its own answers for what is missing (connections 6.9).

A trigger compares fields of an event with values, asks whether a text contains another or begins or ends with it, and
joins this with `and` and `or`. A field of another type than is asked for fails both the question and its negation, but
for `!=` and a text. Text stands in double quotes: in single quotes it is compared with them, and so hardly ever equal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn

from headwater.spec.fql.comparing import ORDERS, is_number
from headwater.spec.fql.compiled import Holds, all_of, one_of
from headwater.spec.fql.errors import FqlError
from headwater.spec.fql.paths import Read, follow
from headwater.spec.fql.tree import All, And, Call, Compare, Condition, Node, Not, Operand, Or, Path, Plain, Query, Text

_FIELDS: Final = frozenset(("type", "event", "name", "userId"))
_OBJECTS: Final = frozenset(("properties", "traits", "context"))


def compile_trigger(query: Query) -> Holds:
    """The query as a trigger. Raises FqlError, with the place, for what only filters understand."""
    if isinstance(query.body, All):
        raise FqlError('a trigger says which events it takes, such as `type = "track"`', 0)
    return _condition(query.body)


def _condition(part: Condition) -> Holds:
    match part:
        case And():
            return all_of([_condition(each) for each in part.parts])
        case Or():
            return one_of([_condition(each) for each in part.parts])
        case Not(part=Call() as call):
            return _call(call, wanted=False)
        case Call():
            return _call(part, wanted=True)
        case Compare():
            return _compare(part)
        case _:
            _refuse(part, "a trigger takes comparisons, `contains` and `match` here, the last two also after `!`")


def _compare(part: Compare) -> Holds:
    read, value, sign = _field(part.left), part.right, part.by
    if isinstance(value, Text) and sign in ("=", "!="):
        return _relate(read, operator.eq if sign == "=" else operator.ne, _text(value))
    if not isinstance(value, Plain) or sign == "in":
        _refuse(value, "a trigger compares a field with one value")
    wanted = value.value
    if is_number(wanted):
        relation = {"=": operator.eq, "!=": operator.ne, **ORDERS}[sign]
        return lambda body: is_number(found := read(body)) and relation(found, wanted)
    if sign not in ("=", "!="):
        _refuse(value, f"`{sign}` compares numbers")
    return _relate(read, operator.is_ if sign == "=" else operator.is_not, wanted)


def _relate(read: Read, relation: Callable[[Any, Any], bool], wanted: Any) -> Holds:
    return lambda body: relation(read(body), wanted)


def _call(part: Call, *, wanted: bool) -> Holds:
    if part.name not in ("contains", "match"):
        _refuse(part, f"a trigger knows no function but `contains` and `match`; `{part.name}` is one for filters")
    read, text = _field(part.arguments[0]), part.arguments[1]
    if not isinstance(text, Text):
        _refuse(text, "text in double quotes is expected here")
    sought, holds = _text(text), operator.contains
    if part.name == "match" and sought.endswith("*"):
        sought, holds = sought[:-1], str.startswith
    elif part.name == "match" and sought.startswith("*"):
        sought, holds = sought[1:], str.endswith
    elif part.name == "match":
        _refuse(text, 'a trigger matches how a text begins, as in "a*", or ends, as in "*a", in double quotes')
    return lambda body: isinstance(found := read(body), str) and holds(found, sought) is wanted


def _field(part: Operand) -> Read:
    if not isinstance(part, Path):
        _refuse(part, "a field of the event is expected here")
    first, *rest = part.parts
    if first not in (_OBJECTS if rest else _FIELDS):
        _refuse(part, "a trigger knows type, event, name, userId, and what is in properties, traits and context")
    return follow(part.parts)


def _text(part: Text) -> str:
    return part.value if part.quote == '"' else f"'{part.value}'"


def _refuse(part: Node, sentence: str) -> NoReturn:
    raise FqlError(sentence, part.place.offset)
