"""Random queries and histories: few names, few values and moments at the ends of windows, so that things meet."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

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

moments = st.builds(
    lambda hours, off: BASE + hours * HOUR + off, st.integers(-30, 30), st.sampled_from([0, 0, 0, -1, 1])
)
dates = moments.map(format_moment)
texts = st.sampled_from(["a", "b", "ab", "10", "9", "12.50", "-3", "true", "NaN", "2024-03-01", ""])
plain = st.one_of(st.sampled_from([0, 1, 2, 9, 10, -3, 2.5, 12.5, True, False, None]), texts, dates)
listed = st.lists(st.one_of(plain, st.fixed_dictionaries({"x": plain})), max_size=3)
values = st.one_of(plain, plain, listed, st.fixed_dictionaries({"x": plain}))
objects = st.dictionaries(st.sampled_from(["x", "y", "l", "o", "d.d", "page_name"]), values, max_size=4)

NAMES = st.sampled_from(["x", "x", "y", "l.$", "l.$.x", "o.x", "l", "d\\.d", "page_name"])
EVENTS = st.sampled_from(["A", "A", "B", "Page Viewed"])
ITEM = st.builds(
    lambda kind, name, source, at, properties, context: (kind, name, source, at, properties, context),
    st.sampled_from(["track", "track", "track", "page", "identify"]),
    st.sampled_from(["A", "A", "B", "Page Viewed"]),
    st.sampled_from(["s1", "s2"]),
    moments,
    objects,
    objects,
)
traits = st.dictionaries(st.sampled_from(["x", "y", "l", "o", "d.d"]), values, max_size=4)


@st.composite
def histories(draw: Any, most: int = 8) -> list[Item]:
    """Items with message ids whose order is not that of their moments."""
    parts = draw(st.lists(ITEM, max_size=most))
    return [
        Item(kind, name, source, f"m{(number * 7) % 10}-{number}", at, properties, context)
        for number, (kind, name, source, at, properties, context) in enumerate(parts)
    ]


durations = st.one_of(
    st.builds(Duration, st.integers(1, 12), st.just("hour")), st.builds(Duration, st.just(1), st.just("day"))
)
literal_values = st.one_of(st.sampled_from([0, 1, 2, 9, 10, -3, 2.5, 12.5, True, False]), texts, dates)
literals = st.builds(lambda value: Literal(value=value), literal_values)


@st.composite
def fields(draw: Any, depth: int) -> Any:
    name = draw(NAMES)
    if depth > 1 and draw(st.integers(0, 2)) == 0:
        return Property(name=name, parent=True)
    return Context(name=name) if draw(st.integers(0, 4)) == 0 else Property(name=name)


@st.composite
def reduced(draw: Any, depth: int = 0, session: bool = False, list_too: bool = False) -> Any:
    """A reducer over a stream, inside `depth` events."""
    filters: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(["where", "within", "between", "sources", "parent"]), max_size=2)):
        if kind == "where" and depth < 3:
            filters.append(Where(condition=draw(conditions(depth + 1))))
        elif kind == "within":
            filters.append(Within(duration=draw(durations)))
        elif kind == "between":
            filters.append(Between(start=draw(durations), end=draw(durations)))
        elif kind == "sources":
            filters.append(Sources(exclude=("s2",)))
        elif kind == "parent" and depth:
            filters.append(Within(duration=draw(durations), parent=True))
    if session and draw(st.booleans()):
        filters.append(ExpiresAfter(gap=Duration(draw(st.integers(1, 9)), "hour")))
    stream = Stream(of=Event(name=draw(EVENTS)), filters=tuple(filters))
    by = draw(st.sampled_from(["count", "count", "sum", "avg", "max", "min", "mode", "first", "last", "unique"]))
    if by == "count":
        return Reduced(stream=stream, by=by)
    of = Context(name=draw(NAMES)) if draw(st.integers(0, 4)) == 0 else Property(name=draw(NAMES))
    readings = {"max": ["number", "string"], "min": ["number", "string"], "mode": ["string", "number", "array"]}
    reading = draw(st.sampled_from(readings.get(by, ["string"])))
    least = draw(st.integers(1, 2)) if by == "mode" else 2
    made = Reduced(stream=stream, by=by, of=of, reading=reading, least=least)
    return Size(of=made) if by == "unique" and not list_too else made


@st.composite
def scalars(draw: Any, depth: int) -> Any:
    kinds = ["trait", "reduced"] if depth == 0 else ["field", "field", "field", "trait", *(["reduced"] * (depth < 3))]
    match draw(st.sampled_from(kinds)):
        case "trait":
            return Trait(name=draw(st.sampled_from(["x", "y", "l.$", "l.$.x", "o.x", "l", "d\\.d"])))
        case "field":
            return draw(fields(depth))
        case _:
            return draw(reduced(depth))


@st.composite
def comparisons(draw: Any, depth: int) -> Compare:
    left = draw(scalars(depth))
    by = draw(st.sampled_from(["at_least", "equals", *COMPARATORS]))
    match COMPARATORS[by].takes:
        case "nothing":
            arguments: tuple[Any, ...] = ()
        case "duration":
            arguments = (draw(durations),)
        case "moment":
            arguments = (Literal(value=draw(st.one_of(dates, st.just("2024-03-01")))),)
        case "values":
            arguments = tuple(draw(st.lists(literals, min_size=1, max_size=3)))
        case "value":
            arguments = (draw(literals),)
        case _:
            arguments = (draw(st.one_of(literals, literals, literals, scalars(depth))),)
    return Compare(left=left, by=by, arguments=arguments)


@st.composite
def conditions(draw: Any, depth: int = 0, levels: int = 2) -> Condition:
    kind = draw(st.sampled_from(["one", "one", "one", "and", "or", "not"])) if levels else "one"
    if kind == "one":
        return draw(comparisons(depth))
    if kind == "not":
        return Not(part=draw(conditions(depth, levels - 1)))
    parts = [draw(conditions(depth, levels - 1)) for _ in range(draw(st.integers(2, 3)))]
    return (both if kind == "and" else either)(parts, Place())


audiences = conditions().map(Query)
computed = reduced(session=True, list_too=True).map(Query)
queries = st.one_of(audiences, computed)
