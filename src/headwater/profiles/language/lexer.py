"""From text to tokens, one pass without going back. Words are in any case; text is in single or double quotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as OneOf

import msgspec

from headwater.profiles.language.errors import QueryError
from headwater.profiles.language.tree import Value
from headwater.spec.timestamps import parse_moment

MAX_TEXT = 20 * 1024
"""Characters of a query."""

_LONGEST_NUMBER = 40
_LARGEST_NUMBER = 1e200  # values of events are no numbers beyond it either
_SYMBOLS = ("==", "!=", ">=", "<=", "=", ">", "<", "(", ")", "{", "}", "[", "]", ",", ".", ":")
_NUMERIC = frozenset("0123456789")
_IN_NUMBER = _NUMERIC | frozenset(".eE")
_IN_DATE = _NUMERIC | frozenset("-+:.TtZz")


class Token(msgspec.Struct, frozen=True):
    """One word, text, number or symbol. `text` of a word is in lower case; `value` is that of a text or number."""

    kind: OneOf["word", "string", "number", "date", "symbol", "end"]
    text: str
    start: int
    end: int
    value: Value = ""


def tokens(text: str) -> list[Token]:
    """All tokens, the last of which is the end. Raises QueryError."""
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has more than {MAX_TEXT:,} characters", text, MAX_TEXT)
    found: list[Token] = []
    at, size = 0, len(text)
    while at < size:
        if text[at].isspace():
            at += 1
            continue
        found.append(_token(text, at))
        at = found[-1].end
    found.append(Token("end", "", len(text.rstrip()), size))
    return found


def _token(text: str, at: int) -> Token:
    sign = text[at]
    if sign in "'\"":
        return _string(text, at)
    if sign in _NUMERIC or (sign == "-" and text[at + 1 : at + 2] in _NUMERIC):
        dated = text[at + 4 : at + 5] == "-" and _NUMERIC.issuperset(text[at : at + 4])
        return _date(text, at) if dated else _number(text, at)
    if sign.isalpha() or sign == "_":
        end = _while(text, at, lambda each: each.isalnum() or each == "_")
        return Token("word", text[at:end].lower(), at, end)
    for symbol in _SYMBOLS:
        if text.startswith(symbol, at):
            return Token("symbol", symbol, at, at + len(symbol))
    if sign == "$":
        raise QueryError("`$` stands inside a quoted name, as in property('products.$.sku')", text, at)
    raise QueryError(f"`{sign}` means nothing here; names and text stand in quotes", text, at)


def _while(text: str, at: int, holds: Callable[[str], bool]) -> int:
    while at < len(text) and holds(text[at]):
        at += 1
    return at


def _string(text: str, at: int) -> Token:
    """Text in quotes. A backslash makes a quote or a backslash literal, and stays before anything else."""
    quote, parts, here = text[at], [""], at + 1
    while here < len(text):
        sign = text[here]
        if sign == quote:
            return Token("string", text[at : here + 1], at, here + 1, "".join(parts))
        if sign == "\\" and text[here + 1 : here + 2] in ("\\", "'", '"'):
            here += 1
            sign = text[here]
        parts.append(sign)
        here += 1
    raise QueryError(f"this text has no end; a closing {quote} is expected", text, at)


def _number(text: str, at: int) -> Token:
    here = at + 1
    while here < len(text) and (text[here] in _IN_NUMBER or (text[here] in "+-" and text[here - 1] in "eE")):
        here += 1
    written = text[at:here]
    try:
        value = int(written) if written.removeprefix("-").isdigit() else float(written)
    except ValueError:
        raise QueryError(f"`{written[:_LONGEST_NUMBER]}` is not a number", text, at) from None
    if len(written) > _LONGEST_NUMBER or abs(value) > _LARGEST_NUMBER:
        raise QueryError("this number is too large", text, at)
    return Token("number", written, at, here, value)


def _date(text: str, at: int) -> Token:
    end = _while(text, at, lambda each: each in _IN_DATE)
    if parse_moment(text[at:end]) is None:
        raise QueryError(f"`{text[at:end][:_LONGEST_NUMBER]}` is not a date, such as 2024-01-31", text, at)
    return Token("date", text[at:end], at, end, text[at:end])
