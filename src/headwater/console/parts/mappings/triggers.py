"""Triggers as rows of conditions, and as text: one becomes the other wherever rows can say it. Pure (6.9)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from headwater.spec.fql import FqlError, parse
from headwater.spec.fql.tree import And, Call, Compare, Condition, Not, Or, Path, Plain, Text

Joined = Literal["and", "or"]
SIGNS: Final = {
    "is": "is",
    "is not": "is not",
    "contains": "contains",
    "does not contain": "does not contain",
    "starts with": "starts with",
    "ends with": "ends with",
    "exists": "exists",
    "does not exist": "does not exist",
    ">": "is more than",
    ">=": "is at least",
    "<": "is less than",
    "<=": "is at most",
}
"""What a row may say of its field, as people read it."""

ALONE: Final = frozenset(("exists", "does not exist"))
"""Those that need no value."""

_ORDERS: Final = frozenset((">", ">=", "<", "<="))
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]")


class Row(msgspec.Struct, frozen=True):
    """One condition: a field, what is said of it, and the value as text; `number` where it stands for a number."""

    field: str = "event"
    sign: str = "is"
    value: str = ""
    number: bool = False


class Built(msgspec.Struct, frozen=True):
    """A trigger as a form has it."""

    rows: tuple[Row, ...] = (Row("type", "is", "track"),)
    joined: Joined = "and"


def text_of(built: Built) -> str:
    """The trigger as text."""
    return f" {built.joined} ".join(_text(row) for row in built.rows)


def rows_of(text: str) -> Built | None:
    """The trigger as rows, or None when it says more than rows can. Raises FqlError for what cannot be read."""
    body = parse(text).body
    match body:
        case And(parts=parts):
            return _built(parts, "and")
        case Or(parts=parts):
            return _built(parts, "or")
        case _:
            return _built([body], "and")  # pyright: ignore[reportArgumentType]


def problem_of(text: str) -> FqlError | None:
    """Why a text is no query, or None."""
    try:
        parse(text)
    except FqlError as error:
        return error
    return None


def _built(parts: Sequence[Condition], joined: Joined) -> Built | None:
    rows = [None if _dotted(part) else _row(part) for part in parts]
    found = tuple(row for row in rows if row is not None)
    return Built(found, joined) if len(found) == len(rows) else None


def _dotted(part: Condition) -> bool:
    """Has the field a key with a dot in it? A row would take that for two keys."""
    match part:
        case (
            Compare(left=Path(parts=parts))
            | Call(arguments=(Path(parts=parts), _))
            | Not(part=Call(arguments=(Path(parts=parts), _)))
        ):
            return any("." in each for each in parts)
        case _:
            return False


def _row(part: Condition) -> Row | None:
    match part:
        case Compare(left=Path() as path, by=("=" | "!=") as by, right=Text(value=value, quote='"')):
            return Row(_field(path), "is" if by == "=" else "is not", value)
        case Compare(left=Path() as path, by=by, right=Plain(value=value)):
            return _plain(_field(path), by, value)
        case Call():
            return _called(part, wanted=True)
        case Not(part=Call() as call):
            return _called(call, wanted=False)
        case _:
            return None


def _plain(field: str, by: str, value: float | bool | None) -> Row | None:
    if value is None:
        return Row(field, "does not exist" if by == "=" else "exists") if by in ("=", "!=") else None
    if isinstance(value, bool):
        return None
    sign = {"=": "is", "!=": "is not"}.get(by, by)
    return Row(field, sign, json.dumps(value), number=True) if sign in SIGNS else None


def _called(call: Call, *, wanted: bool) -> Row | None:
    match call.arguments:
        case (Path() as path, Text(value=value, quote='"')) if call.name == "contains":
            return Row(_field(path), "contains" if wanted else "does not contain", value)
        case (Path() as path, Text(value=value, quote='"')) if call.name == "match" and wanted:
            if value.endswith("*") and "*" not in value[:-1]:
                return Row(_field(path), "starts with", value[:-1])
            if value.startswith("*") and "*" not in value[1:]:
                return Row(_field(path), "ends with", value[1:])
        case _:
            pass
    return None


def _field(path: Path) -> str:
    return ".".join(path.parts)


def _text(row: Row) -> str:
    field, value = _escaped(row.field.strip()), row.value.replace('"', "'")
    match row.sign:
        case "is" | "is not":
            sign = "=" if row.sign == "is" else "!="
            return f"{field} {sign} {_number(value) if row.number else _quoted(value)}"
        case "contains":
            return f"contains({field}, {_quoted(value)})"
        case "does not contain":
            return f"!contains({field}, {_quoted(value)})"
        case "starts with":
            return f"match({field}, {_quoted(value + '*')})"
        case "ends with":
            return f"match({field}, {_quoted('*' + value)})"
        case "exists":
            return f"{field} != null"
        case "does not exist":
            return f"{field} = null"
        case _:
            return f"{field} {row.sign} {_number(value)}"


def _escaped(field: str) -> str:
    return "".join(letter if _PLAIN.fullmatch(letter) or letter == "." else f"\\{letter}" for letter in field)


def _quoted(value: str) -> str:
    return f'"{value}"'


def _number(value: str) -> str:
    try:
        return json.dumps(float(value) if "." in value or "e" in value.lower() else int(value))
    except ValueError:
        return "0"


def numeric(sign: str) -> bool:
    """Does this sign compare numbers?"""
    return sign in _ORDERS
