"""The functions of the language: what each takes and gives, and how it answers to anything (contract: connections 6.6).

A value that a function is not made for gives null, or false where the answer is yes or no.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final
from typing import Literal as OneOf

import msgspec

from headwater.spec.fql.comparing import ORDERS, is_number
from headwater.spec.fql.glob import lately
from headwater.spec.wire import encode

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_VERSION: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,2}")
_MAX_NUMBER_CHARS: Final = 400
_MAX_GLOB_CHARS: Final = 1_000
"""A field that is longer is no glob; those that stand in a query may be as long as it."""

_BOOLS: Final = {"true": True, "false": False}


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function: how many values it takes, what it gives if not null, and what the reference says of it."""

    takes: int
    gives: OneOf["bool", "number", "text"]
    example: str
    sentence: str
    run: Callable[..., Any]


def contains(text: Any, part: Any) -> bool:
    """Is one text part of another?"""
    return isinstance(text, str) and isinstance(part, str) and part in text


def length(value: Any) -> float:
    """Entries of a list, bytes of text in UTF-8, 0 of null; NaN of anything else."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return len(value)  # pyright: ignore[reportUnknownArgumentType]
    return 0 if value is None else math.nan


def match(text: Any, glob: Any) -> bool:
    """Does the whole text match the glob?"""
    if not isinstance(text, str) or not isinstance(glob, str) or len(glob) > _MAX_GLOB_CHARS:
        return False
    return lately(glob)(text)


def type_of(value: Any) -> str:
    """The name of a value's type."""
    if value is None:
        return "null"
    names = {bool: "bool", str: "string", list: "list", dict: "object"}
    return names.get(type(value), "number")  # pyright: ignore[reportUnknownArgumentType]


def to_bool(value: Any) -> bool | None:
    """A bool as it is, true for numbers but 0, and what the texts `true` and `false` say."""
    if isinstance(value, bool):
        return value
    if is_number(value):
        return value != 0
    return _BOOLS.get(value) if isinstance(value, str) else None


def to_text(value: Any) -> str | None:
    """Text as it is, and anything else but null as its JSON; a number without needless decimals."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return encode(value).decode()


def to_number(value: Any) -> float | None:
    """A number as it is, that which a text spells, and 1 and 0 for true and false."""
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return value
    if not isinstance(value, str) or len(value) > _MAX_NUMBER_CHARS or not _NUMBER.fullmatch(value):
        return None
    number = float(value) if set(value) & set(".eE") else int(value)
    return number if abs(number) != math.inf else None


def semver(left: Any, sign: Any, right: Any) -> bool:
    """Are two versions of one to three numbers in this order?"""
    one, other = _version(left), _version(right)
    if one is None or other is None or not isinstance(sign, str):
        return False
    if sign in ("=", "!="):
        return (one == other) is (sign == "=")
    return sign in ORDERS and ORDERS[sign](one, other)


def _version(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        return None
    numbers = [int(part) for part in value.split(".")]
    return (*numbers, *[0] * (3 - len(numbers)))


def _of_text(change: Callable[[str], str]) -> Callable[[Any], str | None]:
    return lambda value: change(value) if isinstance(value, str) else None


def _title(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


FUNCTIONS: Final[dict[str, Function]] = {
    "contains": Function(
        takes=2,
        gives="bool",
        example="contains(context.library.name, 'js')",
        sentence="Whether the second text is part of the first.",
        run=contains,
    ),
    "match": Function(
        takes=2,
        gives="bool",
        example="match(event, 'Order *')",
        sentence="Whether the whole text matches a glob.",
        run=match,
    ),
    "semver": Function(
        takes=3,
        gives="bool",
        example="semver(context.app.version, '>=', '2.1')",
        sentence="Whether two versions of one to three numbers compare so; what is missing counts as 0.",
        run=semver,
    ),
    "bool": Function(
        takes=1,
        gives="bool",
        example="bool(properties.consent)",
        sentence="True for true, the text `true` and numbers but 0; null for other texts, lists and objects.",
        run=to_bool,
    ),
    "length": Function(
        takes=1,
        gives="number",
        example="length(userId) > 0",
        sentence="Entries of a list, bytes of a text in UTF-8, 0 of null. Of anything else no comparison holds.",
        run=length,
    ),
    "number": Function(
        takes=1,
        gives="number",
        example="number(properties.price) >= 10",
        sentence="The number that a text spells; 1 and 0 for true and false; null for what is none.",
        run=to_number,
    ),
    "string": Function(
        takes=1,
        gives="text",
        example="string(properties.code) = '7'",
        sentence="The value as text: `7`, `true`, or the JSON of a list or object; null stays null.",
        run=to_text,
    ),
    "typeof": Function(
        takes=1,
        gives="text",
        example="typeof(properties.tags) = 'list'",
        sentence="`string`, `number`, `bool`, `list`, `object` or `null`.",
        run=type_of,
    ),
    "lowercase": Function(
        takes=1,
        gives="text",
        example="lowercase(event) = 'signed up'",
        sentence="The text in lower case.",
        run=_of_text(str.lower),
    ),
    "uppercase": Function(
        takes=1,
        gives="text",
        example="uppercase(properties.plan) = 'PRO'",
        sentence="The text in upper case.",
        run=_of_text(str.upper),
    ),
    "snakecase": Function(
        takes=1,
        gives="text",
        example="snakecase(event) = 'Signed_Up'",
        sentence="The text with `_` for each space.",
        run=_of_text(lambda text: text.replace(" ", "_")),
    ),
    "kebabcase": Function(
        takes=1,
        gives="text",
        example="kebabcase(event) = 'Signed-Up'",
        sentence="The text with `-` for each space.",
        run=_of_text(lambda text: text.replace(" ", "-")),
    ),
    "titlecase": Function(
        takes=1,
        gives="text",
        example="titlecase(event) = 'Signed Up'",
        sentence="The text with a capital at the beginning of each word.",
        run=_of_text(_title),
    ),
}
"""Every function by its name."""
