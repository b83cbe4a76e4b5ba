"""From tokens to the tree, by recursive descent with one token of foresight: the time is linear in the text."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, NoReturn, cast, get_args

from headwater.spec.fql.errors import FqlError
from headwater.spec.fql.functions import FUNCTIONS
from headwater.spec.fql.lexer import Token, tokens
from headwater.spec.fql.tree import (
    All,
    Call,
    Compare,
    Condition,
    List,
    Not,
    Operand,
    Path,
    Place,
    Plain,
    Query,
    Quote,
    Sign,
    Text,
    Value,
    Written,
    both,
    either,
)

MAX_DEPTH: Final = 64
"""Levels of nesting: parentheses, `!`, functions and lists."""

_SIGNS: Final = frozenset(get_args(Sign))
_PLAIN: Final = {"true": True, "false": False, "null": None}
_KINDS: Final = {"number": "a number", "text": "text"}


def parse(text: str) -> Query:
    """Read a query. Raises FqlError with the place and what was expected there."""
    return _Parser(text).query()


class _Parser:
    """Stands at a token and moves on. What is refused is refused at the token where it stands."""

    def __init__(self, text: str) -> None:
        self._written = Written(text)
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        if self._here.text == "all" and self._tokens[self._at + 1].kind == "end":
            return Query(All(), self._written)
        body = self._or()
        if self._here.kind != "end":
            self._refuse_rest()
        return Query(body, self._written)

    # Conditions.

    def _or(self) -> Condition:
        place = self._place
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return either(parts, place)

    def _and(self) -> Condition:
        place = self._place
        parts = [self._unary()]
        while self._take("and"):
            parts.append(self._unary())
        return both(parts, place)

    def _unary(self, *, negated: bool = False) -> Condition:
        place = self._place
        if self._take("!"):
            self._deeper()
            part = self._unary(negated=True)
            self._depth -= 1
            return Not(part=part, place=place)
        if self._take("("):
            self._deeper()
            inside = self._or()
            self._expect(")", "`)`, `and` or `or` is expected here")
            self._depth -= 1
            if self._here.text in _SIGNS:
                self._refuse("a condition in parentheses cannot be compared; `and`, `or` or the end is expected here")
            return inside
        return self._comparison(negated=negated)

    def _comparison(self, *, negated: bool) -> Condition:
        first = self._here
        left = self._operand()
        sign = self._here
        if sign.kind not in ("symbol", "word") or sign.text not in _SIGNS:
            return self._as_condition(left, first)
        if negated:
            self._refuse("`!` before a comparison needs parentheses, as in `!(a = 1)`")
        self._move()
        place = self._here.start
        right = self._operand()
        if sign.text == "in" and not isinstance(right, List | Path):
            raise FqlError("after `in` a list is expected, such as ['a', 'b'], or a field that holds one", place)
        if self._here.text in _SIGNS and self._here.kind in ("symbol", "word"):
            self._refuse("only two values can be compared; join comparisons with `and` or `or`")
        return Compare(left=left, by=cast("Sign", sign.text), right=right, place=left.place)

    def _as_condition(self, part: Operand, first: Token) -> Condition:
        """An operand without a comparison, if it can be true by itself."""
        comparison = "a comparison is expected, such as `= 'a'`"
        if isinstance(part, Text | List) or (isinstance(part, Plain) and not isinstance(part.value, bool | None)):
            self._refuse(f"after a value {comparison}")
        if isinstance(part, Call) and (gives := FUNCTIONS[part.name].gives) != "bool":
            self._refuse(f"`{part.name}(...)` is {_KINDS[gives]}; {comparison}")
        if isinstance(part, Path) and self._here.kind in ("path", "string", "number"):
            word = first.text.lower()
            if word == "not":
                raise FqlError("write `!(...)` for not", first.start)
            self._refuse_rest()
        if isinstance(part, Path) and first.text == "all":
            raise FqlError("`all` stands alone, and means every event; a field of this name is `\\all`", first.start)
        return part

    # Operands.

    def _operand(self) -> Operand:
        token = self._here
        if token.kind == "path":
            self._move()
            if self._here.text == "(":
                return self._call(token)
            return Path(parts=token.parts, place=Place(token.start))
        return self._value("a field, a value or a function is expected here")

    def _value(self, expected: str) -> Value:
        token, place = self._here, self._place
        if token.kind == "string":
            self._move()
            return Text(value=str(token.value), quote=cast("Quote", token.text[0]), place=place)
        if token.kind == "number":
            self._move()
            return Plain(value=cast("float", token.value), place=place)
        if token.kind == "word" and token.text in _PLAIN:
            self._move()
            return Plain(value=_PLAIN[token.text], place=place)
        if not self._take("["):
            self._refuse(f"{expected}, not {token.shown}")
        self._deeper()
        items: list[Value] = []
        while self._here.text != "]":
            items.append(self._value("a value is expected here, such as 'a' or 1"))
            if not self._take(","):
                break
        self._expect("]", "a comma or `]` is expected here")
        self._depth -= 1
        return List(items=tuple(items), place=place)

    def _call(self, name: Token) -> Call:
        function = FUNCTIONS.get(name.text)
        if function is None:
            close = get_close_matches(name.text[:40], FUNCTIONS, n=1)
            hint = f"perhaps `{close[0]}` is meant" if close else f"there are {', '.join(FUNCTIONS)}"
            raise FqlError(f"{name.shown} is no function; {hint}", name.start)
        self._move()
        self._deeper()
        arguments: list[Operand] = []
        while self._here.text != ")":
            arguments.append(self._operand())
            if not self._take(","):
                break
        if self._here.text == ")" and len(arguments) != function.takes:
            self._refuse(f"`{name.text}` takes {function.takes} and not {len(arguments)}, as in {function.example}")
        self._expect(")", "a comma or `)` is expected here")
        self._depth -= 1
        return Call(name=name.text, arguments=tuple(arguments), place=Place(name.start))

    # Moving.

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    @property
    def _place(self) -> Place:
        return Place(self._here.start)

    def _move(self) -> None:
        self._at += 1

    def _take(self, text: str) -> bool:
        if found := self._here.text == text:
            self._move()
        return found

    def _expect(self, text: str, sentence: str) -> None:
        if not self._take(text):
            self._refuse(sentence)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"this is more than {MAX_DEPTH} levels deep")

    def _refuse_rest(self) -> NoReturn:
        token = self._here
        if token.text.lower() in ("and", "or", "in"):
            self._refuse(f"{token.shown} is written in lower case")
        self._refuse(f"a comparison, `and`, `or` or the end is expected here, not {token.shown}")

    def _refuse(self, sentence: str) -> NoReturn:
        raise FqlError(sentence, self._here.start)
