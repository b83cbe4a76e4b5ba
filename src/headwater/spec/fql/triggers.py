"""Triggers of subscriptions: a part of the language, with its own answers for what is missing (connections 6.9).

A trigger compares fields of an event with values, asks whether a text contains another or begins or ends with it, and
joins this with `and` or with `or`; parentheses may group conditions once. A field of another type than is asked for
fails both the question and its negation, but for `!=` and a text. Text stands in double quotes: in single quotes it is
compared with them, and so hardly ever equal. Type, event, name and user id are compared as texts with anything.

Segment's own reading of a trigger passes over what it does not know. What it would take for something else than is
written is refused here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from headwater.spec.fql.comparing import ORDERS, is_number
from headwater.spec.fql.compiled import Holds, all_of, one_of
from headwater.spec.fql.errors import FqlError
from headwater.spec.fql.lexer import Token, tokens
from headwater.spec.fql.paths import Read
from headwater.spec.fql.tree import All, And, Call, Compare, Condition, Node, Not, Operand, Or, Path, Plain, Query, Text
from headwater.spec.mapping.paths import step
from headwater.spec.mapping.values import UNDEFINED, text

_FIELDS: Final = frozenset(("type", "event", "name", "userId"))
_OBJECTS: Final = frozenset(("properties", "traits", "context"))
_NULL: Final = _OBJECTS | {"name", "userId"}
"""Where null asks whether there is a value. Type and event are compared with the text `null`."""

_BOOLS: Final = _OBJECTS | {"userId"}
_NAMES: Final = re.compile(r"[^.\[\]]+")
_BARE: Final = re.compile(r"\\.|\.[-0-9]", re.DOTALL)


def compile_trigger(query: Query) -> Holds:
    """The query as a trigger. Raises FqlError, with the place, for what only filters understand."""
    if isinstance(query.body, All):
        raise FqlError('a trigger says which events it takes, such as `type = "track"`', 0)
    _check_written(tokens(query.written.text))
    return _condition(query.body)


def _check_written(found: list[Token]) -> None:
    """Refuse names and groups that Segment's reading takes apart. `words` are what joins each group that is open."""
    words, calls = [""], 0
    for token in found:
        if token.kind == "path" and any(each.startswith(".") for each in _BARE.findall(token.text)):
            raise FqlError("a name that begins with a digit or `-` has a backslash before it", token.start)
    for before, token, after in zip(found[-1:] + found, found, found[1:], strict=False):
        if token.text == "(" and (calls or before.kind == "path"):
            calls += 1
        elif token.text == ")" and calls:
            calls -= 1
            if len(words) > 1 and not calls and after.text != ")":
                raise FqlError("in parentheses, `contains` and `match` come last", after.start)
        elif token.text == "(":
            words.append("")
            if len(words) > 2:
                raise FqlError("a trigger has no parentheses within parentheses", token.start)
        elif token.text == ")":
            words.pop()
        elif token.text in ("and", "or") and token.kind == "word":
            if words[-1] not in ("", token.text):
                raise FqlError(
                    "a trigger joins conditions with `and` or with `or`; parentheses group them", token.start
                )
            words[-1] = token.text


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
    first, read = _field(part.left)
    value, sign = part.right, part.by
    if isinstance(value, Text) and sign in ("=", "!="):
        return _texts(read, sign, _text(value))
    if not isinstance(value, Plain) or sign == "in":
        _refuse(value, "a trigger compares a field with one value")
    wanted = value.value
    if sign not in ("=", "!="):
        if not is_number(wanted):
            _refuse(value, f"`{sign}` compares numbers")
        return _number(read, ORDERS[sign], wanted)
    if wanted is None and first in _NULL:
        return _relate(read, operator.is_ if sign == "=" else operator.is_not, None)
    if isinstance(wanted, bool) and sign == "=" and first in _BOOLS:
        return _relate(read, operator.is_, wanted)
    if is_number(wanted) and first in _OBJECTS:
        return _number(read, operator.eq if sign == "=" else operator.ne, wanted)
    return _texts(read, sign, text(wanted))


def _texts(read: Read, sign: str, wanted: str) -> Holds:
    if sign == "=":
        return lambda body: read(body) == wanted
    return lambda body: read(body) != wanted


def _number(read: Read, relation: Callable[[Any, Any], bool], wanted: float) -> Holds:
    return lambda body: is_number(found := read(body)) and relation(found, wanted)


def _relate(read: Read, relation: Callable[[Any, Any], bool], wanted: Any) -> Holds:
    return lambda body: relation(read(body), wanted)


def _call(part: Call, *, wanted: bool) -> Holds:
    if part.name not in ("contains", "match"):
        _refuse(part, f"a trigger knows no function but `contains` and `match`; `{part.name}` is one for filters")
    (first, read), argument = _field(part.arguments[0]), part.arguments[1]
    if first == "type":
        _refuse(part, "a trigger only compares the type")
    if not isinstance(argument, Text):
        _refuse(argument, "text in double quotes is expected here")
    sought, holds = _text(argument), operator.contains
    if part.name == "match" and sought.endswith("*"):
        sought, holds = sought[:-1], str.startswith
    elif part.name == "match" and sought.startswith("*"):
        sought, holds = sought[1:], str.endswith
    elif part.name == "match":
        _refuse(argument, 'a trigger matches how a text begins, as in "a*", or ends, as in "*a", in double quotes')
    return lambda body: isinstance(found := read(body), str) and holds(found, sought) is wanted


def _field(part: Operand) -> tuple[str, Read]:
    """The first name of a field, and the function that reads it."""
    if not isinstance(part, Path):
        _refuse(part, "a field of the event is expected here")
    first, *rest = part.parts
    if first not in (_OBJECTS if rest else _FIELDS):
        _refuse(part, "a trigger knows type, event, name, userId, and what is in properties, traits and context")
    if not rest:
        return first, lambda body: body.get(first)
    names = _NAMES.findall(".".join(rest))
    if not names:
        _refuse(part, "a name is expected after the dot")
    return first, _follow([first, *names])


def _follow(names: list[str]) -> Read:
    """Reads a path that leads into lists, too; through 0, false, empty text or null it gives that (as mappings do)."""

    def read(body: dict[str, Any]) -> Any:
        found: Any = body
        for name in names:
            found = found.get(name, UNDEFINED) if type(found) is dict else step(found, name)
        return None if found is UNDEFINED else found

    return read


def _text(part: Text) -> str:
    return part.value if part.quote == '"' else f"'{part.value}'"


def _refuse(part: Node, sentence: str) -> NoReturn:
    raise FqlError(sentence, part.place.offset)
