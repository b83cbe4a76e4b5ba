"""Writes a query in its one canonical form, which reads back as the same query."""

from __future__ import annotations

from headwater.profiles.language.tree import (
    AllUsers,
    And,
    AnyUser,
    Between,
    Compare,
    Condition,
    Context,
    Duration,
    Entity,
    Filter,
    Literal,
    Not,
    Or,
    Property,
    Query,
    Reduced,
    Scalar,
    Size,
    Sources,
    Stream,
    Trait,
    Where,
    Within,
)
from headwater.profiles.language.words import SYMBOLS

_SIGNS = {name: sign for sign, name in SYMBOLS.items() if sign != "=="}


def show(query: Query) -> str:
    """The query as text: single quotes, upper-case junctions, signs for comparisons, no needless parentheses."""
    return _any(query.body)


def _any(part: Condition | Scalar) -> str:
    if isinstance(part, Compare | Not | AnyUser | AllUsers | And | Or):
        return _condition(part)
    return _scalar(part)


def _condition(part: Condition) -> str:
    match part:
        case Compare():
            return _compare(part)
        case Not():
            return f"NOT {_inner(part.part)}"
        case AnyUser():
            return f"ANY {_inner(part.part)}"
        case AllUsers():
            return f"ALL {_inner(part.part)}"
        case And():
            return " AND ".join(
                f"({_condition(each)})" if isinstance(each, Or) else _condition(each) for each in part.parts
            )
        case Or():
            return " OR ".join(_condition(each) for each in part.parts)


def _inner(part: Condition) -> str:
    return f"({_condition(part)})" if isinstance(part, And | Or) else _condition(part)


def _compare(part: Compare) -> str:
    left = f"literal({_scalar(part.left)})" if isinstance(part.left, Literal) else _scalar(part.left)
    arguments = ", ".join(_duration(each) if isinstance(each, Duration) else _scalar(each) for each in part.arguments)
    sign = _SIGNS.get(part.by)
    return f"{left} {sign} {arguments}" if sign else f"{left}.{part.by}({arguments})"


def _scalar(part: Scalar) -> str:
    match part:
        case Literal():
            return _value(part.value)
        case Trait():
            return f"trait({_quoted(part.name)})"
        case Property():
            return f"property({'parent: ' if part.parent else ''}{_quoted(part.name)})"
        case Context():
            return f"context({_quoted(part.name)})"
        case Size():
            return f"{_reduced(part.of)}.count()"
        case Reduced():
            return _reduced(part)


def _reduced(part: Reduced) -> str:
    if part.of is None:
        return f"{_stream(part.stream)}.{part.by}()"
    usual = "number" if part.by in ("max", "min") else "string"
    reading = "" if part.reading == usual else f" as {part.reading}"
    least = f", {part.least}" if part.by == "mode" else ""
    return f"{_stream(part.stream)}.{part.by}({_scalar(part.of)}{reading}{least})"


def _stream(part: Stream) -> str:
    start = f"entity({_quoted(part.of.slug)})" if isinstance(part.of, Entity) else f"event({_quoted(part.of.name)})"
    return start + "".join(_filter(each) for each in part.filters)


def _filter(part: Filter) -> str:
    match part:
        case Where():
            return f".where({_condition(part.condition)})"
        case Sources():
            return f".sources({{exclude: {', '.join(_quoted(each) for each in part.exclude)}}})"
        case Within():
            return f".within({'parent: ' if part.parent else ''}{_duration(part.duration)})"
        case Between():
            return f".between({_duration(part.start)}, {_duration(part.end)})"
        case _:
            return f".expires_after({_duration(part.gap)})"


def _duration(part: Duration) -> str:
    return f"{part.amount} {part.unit}{'' if part.amount == 1 else 's'}"


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
