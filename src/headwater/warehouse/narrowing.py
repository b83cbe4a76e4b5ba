"""Which days of the archive a query can need, by what it says of `received_at`. Pure.

It reads the tree that DuckDB makes of a query. Where `events` stands alone behind FROM, and WHERE holds `received_at`
to one side of a moment, files of other days hold nothing of it. Whatever else a query says, it may need every day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast

import msgspec

TREE: Final = "SELECT json_serialize_sql({}, skip_empty := true, skip_null := true, skip_default := true)"
"""What gives the tree, of a query as an SQL literal."""

_DAY: Final = re.compile(r"\s*(\d{4}-\d\d-\d\d)(?!\d)")
_NOW: Final = frozenset({"now", "get_current_timestamp", "current_timestamp", "today", "current_date"})
_UNITS: Final = {"to_minutes": 1 / 1_440, "to_hours": 1 / 24, "to_days": 1, "to_weeks": 7, "to_months": 31}
_FLIPPED: Final = {"LESSTHAN": "GREATERTHAN", "GREATERTHAN": "LESSTHAN", "EQUAL": "EQUAL"}
_BY_NAME: Final = frozenset({"query", "query_table"})
_MARGIN: Final = timedelta(days=1)
"""Moments may be written in other zones."""

Node = Mapping[str, Any]


class Days(msgspec.Struct, frozen=True):
    """The days from `first` to `last`, both included, as the archive writes them."""

    first: str = "0000-00-00"
    last: str = "9999-99-99"

    def holds(self, day: str) -> bool:
        """Is a day one of them?"""
        return self.first <= day <= self.last


ALL: Final = (Days(),)


def days_of(tree: Any, now: datetime) -> tuple[Days, ...]:
    """The days that a query can need, given its tree; none for one that does not name `events`."""
    if not isinstance(tree, dict) or cast("Node", tree).get("error", True):
        return ALL
    nodes = list(_nodes(cast("Any", tree)))
    if any(str(node.get("function_name", "")).lower() in _BY_NAME for node in nodes):
        return ALL
    alone = [node for node in nodes if node.get("type") == "SELECT_NODE" and _is_events(node.get("from_table"))]
    if len(alone) < sum(_is_events(node) for node in nodes):
        return ALL
    return tuple(_asked(node, now) for node in alone)


def _nodes(tree: Any) -> Iterator[Node]:
    if isinstance(tree, dict):
        yield cast("Node", tree)
        for each in cast("Node", tree).values():
            yield from _nodes(each)
    elif isinstance(tree, list):
        for each in cast("list[Any]", tree):
            yield from _nodes(each)


def _is_events(node: Any) -> bool:
    return isinstance(node, dict) and str(cast("Node", node).get("table_name", "")).lower() == "events"


def _asked(select: Node, now: datetime) -> Days:
    """The days of one SELECT from `events` alone."""
    table: Node = select["from_table"]
    names = {str(table.get("alias") or "events").lower()}
    first, last = Days().first, Days().last
    for comparison, moment in _comparisons(select.get("where_clause"), names, now):
        if comparison != "LESSTHAN":
            first = max(first, str(moment - _MARGIN))
        if comparison != "GREATERTHAN":
            last = min(last, str(moment + _MARGIN))
    return Days(first, last)


def _comparisons(condition: Any, names: set[str], now: datetime) -> Iterator[tuple[str, date]]:
    """What must hold of `received_at`: on which side of which day it is."""
    if not isinstance(condition, dict):
        return
    node = cast("Node", condition)
    kind = str(node.get("type", ""))
    if kind == "CONJUNCTION_AND":
        for each in node.get("children", ()):
            yield from _comparisons(each, names, now)
    elif kind == "COMPARE_BETWEEN" and _is_received_at(node.get("input"), names):
        for side, key in (("GREATERTHAN", "lower"), ("LESSTHAN", "upper")):
            if (moment := _moment(node.get(key), now)) is not None:
                yield side, moment
    elif kind.startswith("COMPARE_"):
        side = kind.removeprefix("COMPARE_").removesuffix("OREQUALTO")
        left, right = node.get("left"), node.get("right")
        if not _is_received_at(left, names):
            left, right, side = right, left, _FLIPPED.get(side, "")
        moment = _moment(right, now)
        if side in _FLIPPED and moment is not None and _is_received_at(left, names):
            yield side, moment


def _is_received_at(node: Any, names: set[str]) -> bool:
    path = [str(name).lower() for name in cast("Node", node).get("column_names", ())] if isinstance(node, dict) else []
    return path == ["received_at"] or (len(path) == 2 and path[0] in names and path[1] == "received_at")


def _moment(value: Any, now: datetime) -> date | None:
    """The day of a text, of a text as a date or timestamp, and of now less some time; None for all else."""
    if not isinstance(value, dict):
        return None
    node = cast("Node", value)
    if node.get("class") == "CAST":
        kind = str(node.get("type_expr", {}).get("type_name", "")).upper()
        return _moment(node.get("child"), now) if kind.startswith(("DATE", "TIMESTAMP")) else None
    name = str(node.get("function_name", "")).lower()
    if name in _NOW:
        return now.astimezone(UTC).date()
    if name == "-" and len(node.get("arguments", ())) == 2:
        start, span = (each.get("expression") for each in node["arguments"])
        before, days = _moment(start, now), _span(span)
        return None if before is None or days is None else before - timedelta(days=days)
    literal: Node = node.get("literal") or {}
    found = _DAY.match(str(literal.get("text", ""))) if literal.get("kind") == "STRING" else None
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _span(node: Any) -> int | None:
    """An interval in whole days, rounded up; None for what is none of a plain number."""
    unit = _UNITS.get(str(node.get("function_name", "")).lower()) if isinstance(node, dict) else None
    numbers = [each["literal"] for each in _nodes(node) if "literal" in each]
    if unit is None or len(numbers) != 1 or numbers[0].get("kind") != "INTEGER":
        return None
    functions = {str(each["function_name"]).lower() for each in _nodes(node) if "function_name" in each}
    if not functions <= {"trunc", *_UNITS} or not str(numbers[0]["text"]).isdecimal():
        return None
    return min(int(int(numbers[0]["text"]) * unit) + 1, 100_000)
