"""Writes a query in its one canonical form, which reads back as the same query."""

from __future__ import annotations

from decimal import Decimal

from headwater.spec.fql.lexer import LIKE_A_NUMBER, WORDS
from headwater.spec.fql.paths import join
from headwater.spec.fql.tree import All, And, Call, Compare, Condition, List, Not, Operand, Or, Path, Plain, Query, Text


def show(query: Query) -> str:
    """The query as text: one space around signs, no needless parentheses, quotes as they were.

    That can be a little longer than what was parsed, and then than a query may be.
    """
    return "all" if isinstance(query.body, All) else _condition(query.body)


def _condition(part: Condition) -> str:
    match part:
        case And():
            return " and ".join(
                f"({_condition(each)})" if isinstance(each, Or) else _condition(each) for each in part.parts
            )
        case Or():
            return " or ".join(_condition(each) for each in part.parts)
        case Not():
            inside = _condition(part.part)
            return f"!({inside})" if isinstance(part.part, And | Or | Compare) else f"!{inside}"
        case Compare():
            return f"{_operand(part.left)} {part.by} {_operand(part.right)}"
        case _:
            return _operand(part)


def _operand(part: Operand) -> str:
    match part:
        case Path():
            written = join(part.parts)
            # One that looks like something else is told apart by its first character.
            own = written not in WORDS and written != "all" and not LIKE_A_NUMBER.match(written)
            return written if own else f"\\{written}"
        case Text():
            return f"{part.quote}{part.value}{part.quote}"
        case Plain():
            return _plain(part.value)
        case List():
            return f"[{', '.join(_operand(each) for each in part.items)}]"
        case Call():
            return f"{part.name}({', '.join(_operand(each) for each in part.arguments)})"


def _plain(value: float | bool | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    written = format(Decimal(repr(value)), "f")
    return written if "." in written else f"{written}.0"
