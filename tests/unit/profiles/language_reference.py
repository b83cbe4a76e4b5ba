"""The language as its definition reads: slow, over the whole history, and knowing nothing of states.

Every question is asked anew of all items. What the compiled form answers must be what this answers.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater.profiles.language import Item, Query
from headwater.profiles.language.tree import (
    AllUsers,
    And,
    AnyUser,
    Between,
    Compare,
    ExpiresAfter,
    Literal,
    Not,
    Or,
    Property,
    Reduced,
    Size,
    Sources,
    Trait,
    Where,
    Within,
)

NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def answer(query: Query, items: list[Item], traits: dict[str, Any], now: int) -> Any:
    """What the query says of a profile with this history."""
    world = World(items, traits, now)
    if isinstance(query.body, Compare | Not | And | Or):
        return world.holds(query.body, ())
    [value] = world.values(query.body, ()) or [None]
    counts = isinstance(query.body, Size) or (isinstance(query.body, Reduced) and query.body.by == "count")
    return None if counts and value == 0 else value


def account_answer(
    query: Query, users: list[tuple[list[Item], dict[str, Any]]], traits: dict[str, Any], now: int
) -> Any:
    """What an audience of accounts says of an account with these users."""
    worlds = [World(items, of_user, now) for items, of_user in users]

    def holds(part: Any) -> bool:
        match part:
            case Not():
                return not holds(part.part)
            case And():
                return all(holds(each) for each in part.parts)
            case Or():
                return any(holds(each) for each in part.parts)
            case AnyUser():
                return any(world.holds(part.part, ()) for world in worlds)
            case AllUsers():
                return all(world.holds(part.part, ()) for world in worlds)
            case _:
                if "event(" in repr(part) or "Stream(" in repr(part):
                    return any(world.holds(part, ()) for world in worlds)
                return World([], traits, now).holds(part, ())

    return holds(query.body)


class World:
    """One profile at one instant. `around` are the events that a part stands in, the nearest first."""

    def __init__(self, items: list[Item], traits: dict[str, Any], now: int) -> None:
        self.items, self.traits, self.now = items, traits, now

    def holds(self, part: Any, around: tuple[Item, ...]) -> bool:
        match part:
            case And():
                return all(self.holds(each, around) for each in part.parts)
            case Or():
                return any(self.holds(each, around) for each in part.parts)
            case Not():
                return not self.holds(part.part, around)
        values = [value for value in self.values(part.left, around) if value is not None]
        match part.by:
            case "exists":
                return bool(values)
            case "absent":
                return not values
            case "omits" | "none_of":
                return not any(self.compared(part, value, around) for value in values)
            case _:
                return any(self.compared(part, value, around) for value in values)

    def compared(self, part: Compare, value: Any, around: tuple[Item, ...]) -> bool:
        match part.by:
            case "within_last":
                return (at := moment(value)) is not None and self.now - part.arguments[0].ms <= at <= self.now
            case "within_next":
                return (at := moment(value)) is not None and self.now <= at <= self.now + part.arguments[0].ms
            case "before_last":
                return (at := moment(value)) is not None and at <= self.now - part.arguments[0].ms
            case "after_next":
                return (at := moment(value)) is not None and at >= self.now + part.arguments[0].ms
            case "before_date":
                return (at := moment(value)) is not None and at < day(part.arguments[0].value)
            case "after_date":
                return (at := moment(value)) is not None and at > day(part.arguments[0].value)
        others = [other for each in part.arguments for other in self.values(each, around)]
        return any(compare(part.by, value, other) for other in others) or (part.by == "differs" and not others)

    def values(self, part: Any, around: tuple[Item, ...]) -> list[Any]:
        """The values of a scalar: one, or as many as `$` finds."""
        match part:
            case Literal():
                return [part.value]
            case Trait():
                return walk(self.traits, part.name)
            case Property():
                item = around[1 if part.parent else 0]
                return page_name(item) if part.name == "page_name" else walk(item.properties, part.name)
            case Size():
                return [len(self.reduce(part.of, around) or ())]
            case Reduced():
                return [self.reduce(part, around)]
            case _:
                return walk(around[0].context, part.name)

    def stream(self, part: Reduced, around: tuple[Item, ...]) -> list[Item]:
        found = [item for item in self.items if known_as(item) == part.stream.of.name]
        if around:
            found = [item for item in found if item.at_ms > around[0].at_ms]
        gaps: list[int] = []
        for each in part.stream.filters:
            match each:
                case Where():
                    found = [item for item in found if self.holds(each.condition, (item, *around))]
                case Sources():
                    found = [item for item in found if item.source_id not in each.exclude]
                case Within() if each.parent:
                    found = [item for item in found if item.at_ms <= around[0].at_ms + each.duration.ms]
                case Within():
                    found = [item for item in found if item.at_ms >= self.now - each.duration.ms]
                case Between():
                    young, old = sorted((each.start.ms, each.end.ms))
                    found = [item for item in found if self.now - old <= item.at_ms <= self.now - young]
                case ExpiresAfter():
                    gaps.append(each.gap.ms)
        found.sort(key=lambda item: (item.at_ms, item.message_id))
        return last_session(found, min(gaps)) if gaps else found

    def reduce(self, part: Reduced, around: tuple[Item, ...]) -> Any:
        found = self.stream(part, around)
        if part.by == "count":
            return len(found)
        read: list[Any] = []
        for item in found:
            several = self.values(part.of, (item, *around))
            if part.reading == "array" and "$" in part.of.name:
                several = [text(several)] if several else []
            read += [value for value in several if value is not None]
        return REDUCERS[part.by](read, part)


def last_session(items: list[Item], gap: int) -> list[Item]:
    session: list[Item] = []
    for item in items:
        if session and item.at_ms - session[-1].at_ms > gap:
            session = []
        session.append(item)
    return session


def numbers(values: list[Any]) -> list[float]:
    return [found for value in values if (found := number(value)) is not None]


def most_frequent(values: list[Any], part: Reduced) -> Any:
    if part.reading == "number":
        values = numbers(values)
    texts = [text(value) for value in values]
    often = [each for each in sorted(set(texts)) if texts.count(each) >= part.least]
    found = max(often, key=texts.count, default=None)  # the first of several
    return number(found) if part.reading == "number" else found


def extreme(choose: Any, values: list[Any], part: Reduced) -> Any:
    return choose([text(value) for value in values] if part.reading == "string" else numbers(values), default=None)


REDUCERS: dict[str, Any] = {
    "sum": lambda values, part: sum(found) if (found := numbers(values)) else None,
    "avg": lambda values, part: sum(found) / len(found) if (found := numbers(values)) else None,
    "max": lambda values, part: extreme(max, values, part),
    "min": lambda values, part: extreme(min, values, part),
    "first": lambda values, part: scalar(values[0]) if values else None,
    "last": lambda values, part: scalar(values[-1]) if values else None,
    "mode": most_frequent,
    "unique": lambda values, part: sorted({text(value) for value in values}) or None,
}


def known_as(item: Item) -> str | None:
    return {"track": item.name, "page": "Page Viewed", "screen": "Screen Viewed"}.get(item.type)


def page_name(item: Item) -> list[Any]:
    return [item.name] if item.type == "page" and item.name else walk(item.properties, "page_name")


def walk(root: Any, path: str) -> list[Any]:
    found = [root]
    for part in re.split(r"(?<!\\)\.", path):
        name = re.sub(r"\\+\.", ".", part)
        if name == "$":
            found = [entry for each in found if isinstance(each, list) for entry in each]
        else:
            found = [each.get(name) if isinstance(each, dict) else None for each in found]
    return [each for each in found if each is not None] if "$" in path else found


def scalar(value: Any) -> Any:
    return text(value) if isinstance(value, list | dict) else value


def number(value: Any) -> float | None:
    if isinstance(value, bool) or (isinstance(value, str) and not NUMBER.fullmatch(value)):
        return None
    return float(value) if isinstance(value, int | float | str) else None


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def moment(value: Any) -> int | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", value):
        return None
    return (datetime.fromisoformat(value.replace("Z", "+00:00")) - EPOCH) // timedelta(milliseconds=1)


def day(value: str) -> int:
    return moment(value if "T" in value else f"{value}T00:00:00Z") or 0


def compare(by: str, one: Any, other: Any) -> bool:
    same = equal(one, other)
    if by in ("equals", "one_of", "none_of"):
        return same
    if by == "differs":
        return not same
    if by in ("contains", "omits"):
        return text(other) in text(one)
    if by in ("starts_with", "ends_with"):
        return text(one).startswith(text(other)) if by == "starts_with" else text(one).endswith(text(other))
    if other is None:
        return False
    left, right = number(one), number(other)
    if left is None or right is None:
        if any(isinstance(each, bool | int | float) for each in (one, other)):
            return False
        left, right = text(one), text(other)
    return {
        "greater_than": left > right,
        "at_least": left >= right,
        "less_than": left < right,
        "at_most": left <= right,
    }[by]


def equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if not isinstance(one, bool) and not isinstance(other, bool):
        left, right = number(one), number(other)
        if left is not None and right is not None:
            return left == right
    return text(one) == text(other)
