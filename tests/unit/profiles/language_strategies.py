"""Random queries and histories: few names, few values and moments at the ends of windows, so that things meet.

They are made from a seed by an ordinary generator, which is fast enough for thousands; hypothesis chooses the seeds.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from headwater.profiles.language import Item, Query
from headwater.profiles.language.tree import (
    Between,
    Compare,
    Condition,
    Context,
    Duration,
    Event,
    ExpiresAfter,
    Literal,
    Not,
    Place,
    Property,
    Reduced,
    Size,
    Sources,
    Stream,
    Trait,
    Where,
    Within,
    both,
    either,
)
from headwater.profiles.language.words import COMPARATORS
from headwater.spec.timestamps import format_moment

HOUR = 3_600_000
BASE = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp() * 1000)
TEXTS = ["a", "b", "ab", "10", "9", "12.50", "-3", "true", "NaN", "2024-03-01", ""]
PLAIN = [0, 1, 2, 9, 10, -3, 2.5, 12.5, 1, 2, True, False, None, "a", "b", "1", "2"]
PATHS = ["x", "x", "x", "y", "y", "l.$", "l.$.x", "o.x", "l", "d\\.d", "page_name"]
READINGS = {"max": ["number", "string"], "min": ["number", "string"], "mode": ["string", "number", "array"]}
REDUCERS = ["count", "count", "count", "sum", "avg", "max", "min", "mode", "first", "last", "unique"]
LIKELY = ["equals", "at_least", "exists", "differs", "less_than"]


def moment(r: Random) -> int:
    return BASE + r.randint(-8, 8) * HOUR + r.choice([0, 0, 0, 0, -1, 1])


def plain(r: Random) -> Any:
    kind = r.random()
    return r.choice(PLAIN) if kind < 0.7 else r.choice(TEXTS) if kind < 0.85 else format_moment(moment(r))


def value(r: Random) -> Any:
    kind = r.random()
    if kind < 0.8:
        return plain(r)
    return {"x": plain(r)} if kind < 0.85 else listed(r)


def listed(r: Random) -> list[Any]:
    return [plain(r) if r.random() < 0.6 else {"x": plain(r)} for _ in range(r.randint(0, 3))]


def properties(r: Random) -> dict[str, Any]:
    made = {"x": value(r), "y": value(r), "l": listed(r) if r.random() < 0.8 else plain(r), "o": {"x": plain(r)}}
    made |= {"d.d": plain(r), "page_name": plain(r)}
    return {key: made[key] for key in made if r.random() < 0.8}


def history(r: Random, most: int = 12, ids: str = "m") -> list[Item]:
    """Items with message ids whose order is not that of their moments."""
    return [
        Item(
            type=r.choice(["track", "track", "track", "track", "page", "identify"]),
            name=r.choice(["A", "A", "B", "B", "Page Viewed"]),
            source_id=r.choice(["s1", "s1", "s2"]),
            message_id=f"{ids}{number * 7 % 10}-{number}",
            at_ms=moment(r),
            properties=properties(r),
            context=properties(r),
        )
        for number in range(r.randint(0, most))
    ]


def traits(r: Random) -> dict[str, Any]:
    return properties(r)


def duration(r: Random) -> Duration:
    return Duration(1, "day") if r.random() < 0.05 else Duration(r.randint(1, 8), "hour")


def literal(r: Random) -> Literal:
    return Literal(value=next(found for _ in range(99) if (found := plain(r)) is not None))


def field(r: Random, depth: int) -> Property | Context:
    if depth > 1 and r.random() < 0.3:
        return Property(name=r.choice(PATHS), parent=True)
    return (Context if r.random() < 0.15 else Property)(name=r.choice(PATHS))


def filters(r: Random, depth: int) -> list[Any]:
    """Filters of a stream inside `depth` events."""
    made: list[Any] = []
    if r.random() < 0.5:
        made.append(Where(condition=condition(r, depth + 1, levels=1)))
    if r.random() < 0.5:
        made.append(Within(duration=duration(r)))
    if r.random() < 0.2:
        made.append(Between(start=duration(r), end=duration(r)))
    if r.random() < 0.1:
        made.append(Sources(exclude=("s2",)))
    if depth and r.random() < 0.6:
        made.append(Within(duration=duration(r), parent=True))
    r.shuffle(made)
    return made


def reduced(r: Random, depth: int = 0, *, whole: bool = False) -> Reduced | Size:
    """A reducer; as a whole definition it may have a session, and be a list."""
    made = filters(r, depth)
    if whole and r.random() < 0.3:
        made.insert(r.randint(0, len(made)), ExpiresAfter(gap=Duration(r.randint(1, 4), "hour")))
    name = r.choice(["B", "B", "A"] if depth else ["A", "A", "A", "B", "Page Viewed"])
    stream = Stream(of=Event(name=name), filters=tuple(made))
    by: Any = "count" if depth and r.random() < 0.7 else r.choice(REDUCERS)
    if by == "count":
        return Reduced(stream=stream, by=by)
    of = (Context if r.random() < 0.1 else Property)(name=r.choice(PATHS))
    reading: Any = r.choice(READINGS.get(by, ["string"]))
    least = r.randint(1, 2) if by == "mode" else 2
    found = Reduced(stream=stream, by=by, of=of, reading=reading, least=least)
    return Size(of=found) if by == "unique" and not whole else found


def scalar(r: Random, depth: int) -> Any:
    kind = r.random()
    if depth == 0:
        return trait(r) if kind < 0.3 else reduced(r)
    if kind < 0.25 and depth < 3:
        return reduced(r, depth)
    return trait(r) if kind < 0.35 else field(r, depth)


def trait(r: Random) -> Trait:
    return Trait(name=r.choice(PATHS[:-1]))


def comparison(r: Random, depth: int) -> Compare:
    left = scalar(r, depth)
    by = r.choice(LIKELY) if isinstance(left, Reduced) or r.random() < 0.5 else r.choice([*COMPARATORS])
    made: dict[str, Callable[[], tuple[Any, ...]]] = {
        "nothing": lambda: (),
        "duration": lambda: (duration(r),),
        "moment": lambda: (Literal(value=format_moment(moment(r)) if r.random() < 0.8 else "2024-03-01"),),
        "values": lambda: tuple(literal(r) for _ in range(r.randint(1, 3))),
        "value": lambda: (literal(r),),
        "scalar": lambda: (scalar(r, depth) if r.random() < 0.25 else literal(r),),
    }
    if isinstance(left, Reduced) and left.by == "count" and r.random() < 0.8:
        return Compare(left=left, by=r.choice(LIKELY[:2]), arguments=(Literal(value=r.randint(0, 3)),))
    return Compare(left=left, by=by, arguments=made[COMPARATORS[by].takes]())


def condition(r: Random, depth: int = 0, levels: int = 2) -> Condition:
    kind = r.random() if levels else 0
    if kind < 0.5:
        return comparison(r, depth)
    if kind < 0.65:
        return Not(part=condition(r, depth, levels - 1))
    parts = [condition(r, depth, levels - 1) for _ in range(r.randint(2, 3))]
    return (both if kind < 0.85 else either)(parts, Place())


def query(r: Random) -> Query:
    """An audience or a computed trait; a trait shows more of what was counted."""
    return Query(condition(r)) if r.random() < 0.4 else Query(reduced(r, whole=True))
