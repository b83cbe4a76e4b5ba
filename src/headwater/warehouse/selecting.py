"""What must be read of the archive for queries, as SQL, and how its rows become what queries are about. Pure.

DuckDB takes out of each body only the paths that are read. A path that JSON paths cannot say, or very many of them, has
the whole of `properties` or `context` taken out instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from headwater.profiles.computing.past import Wanted
from headwater.profiles.language import Compiled, compile_query, parse

PAGE: Final = "Page Viewed"
SCREEN: Final = "Screen Viewed"
_MANY: Final = 8
_EACH: Final = "$"
_decode = msgspec.json.Decoder().decode

Cut = tuple[str, ...]
"""A part of the body that is read, as the path to it; the first is `properties` or `context`."""
Bodies = Iterable[tuple[dict[str, Any], dict[str, Any]]]


class Reading(msgspec.Struct, frozen=True):
    """What queries read: the names of events, and the parts of their bodies. `build` makes properties and contexts of
    columns with these parts, as JSON text, and the number of rows.
    """

    compiled: list[Compiled]
    events: list[str]
    cuts: list[Cut]
    build: Callable[[Sequence[list[str | None]], int], Bodies]


class Selection(msgspec.Struct, frozen=True):
    """SQL for the view `archived`, and its parameters.

    `rows` gives the profile, the type of call (0 track, 1 page, 2 screen), the place of the event's name among those of
    `Reading`, the moment in milliseconds, source, message id, the name of a page or screen, and the cuts. `number` says
    how many rows that are; the first `shared` parameters are its.
    """

    rows: str
    number: str
    parameters: list[Any]
    shared: int


def plan(wanted: Iterable[Wanted]) -> Reading:
    """Compile the queries and find what they read. Raises QueryError."""
    compiled = [compile_query(parse(each.query), each.level) for each in wanted]
    events = sorted({event for each in compiled for event in each.events})
    paths = {
        (root, *path)
        for each in compiled
        for needs in each.columns.values()
        for root, found in (("properties", needs.properties), ("context", needs.context))
        for path in found
    }
    cuts = _cuts(paths)
    return Reading(compiled, events, cuts, _builder(cuts))


def _cuts(paths: Iterable[Cut]) -> list[Cut]:
    """The fewest parts that hold all paths: none inside another, and none that JSON paths cannot name."""
    wanted = {_sayable(path) for path in paths}
    for root in ("properties", "context"):
        if sum(path[0] == root for path in wanted) > _MANY:
            wanted.add((root,))
    found: list[Cut] = []
    for path in sorted(wanted):
        if not found or path[: len(found[-1])] != found[-1]:
            found.append(path)
    return found


def _sayable(path: Cut) -> Cut:
    """The path up to the entries of a list, or up to what a JSON path cannot name."""
    for place, part in enumerate(path):
        if part == _EACH or not part or part == "*" or '"' in part or "\\" in part or "\0" in part:
            return path[:place]
    return path


def _builder(cuts: list[Cut]) -> Callable[[Sequence[list[str | None]], int], Bodies]:
    if not cuts:
        return _nothing
    if len(cuts) == 1 and len(cuts[0]) == 2 and cuts[0][0] == "properties":
        key = cuts[0][1]
        return lambda columns, _rows: [({} if text is None else {key: _value(text)}, {}) for text in columns[0]]

    putting = [(cut[0] == "context", cut[1:-1], cut[-1] if len(cut) > 1 else None) for cut in cuts]

    def build(columns: Sequence[list[str | None]], _rows: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for texts in zip(*columns, strict=True):
            both: list[dict[str, Any]] = [{}, {}]
            for (root, way, key), text in zip(putting, texts, strict=True):
                if text is None:
                    continue
                value = _value(text)
                if key is None:
                    both[root] = value if isinstance(value, dict) else {}
                    continue
                held = both[root]
                for part in way:
                    held = held.setdefault(part, {})
                held[key] = value
            yield both[0], both[1]

    return build


def _nothing(_columns: Sequence[list[str | None]], rows: int) -> Bodies:
    return [({}, {})] * rows


def _value(text: str) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def select(
    reading: Reading,
    space_id: str,
    wanted: Sequence[Wanted],
    until: Mapping[int, int],
    *,
    share: tuple[int, int] = (0, 1),
) -> Selection:
    """What to ask of the archive for one of several shares of the profiles."""
    parameters: list[Any] = []

    def bound(value: Any) -> str:
        parameters.append(value)
        return f"${len(parameters)}"

    inside = " OR ".join(f"(partition = {int(one)} AND position < {int(end)})" for one, end in sorted(until.items()))
    conditions = [f"({inside or 'false'})", _of_events(reading, bound), "person <> ''"]
    since = min((each.since_ms for each in wanted), default=0)
    if since > 0:
        conditions.append(f"moment >= {int(since)}")
    if share[1] > 1:
        conditions.append(f"hash(person) % {int(share[1])} = {int(share[0])}")
    in_space = f"json_extract_string(profiles, {_quoted(_place((space_id,)))})"
    inner = f"""
        SELECT *,
            CASE WHEN profiles IS NULL THEN profile_id ELSE {in_space} END AS person,
            epoch_ms(least(coalesce("timestamp", received_at), received_at)) AS moment
        FROM archived
    """  # noqa: S608 - parameters are bound
    chosen = f"FROM ({inner}) WHERE {' AND '.join(conditions)}"
    shared = len(parameters)
    number = f"SELECT count(*) {chosen}"
    cuts = "".join(f", {_cut(cut)}" for cut in reading.cuts)
    names = f"list_position({bound(reading.events)}::VARCHAR[], {_name_of()}) - 1"
    kind = "CASE type WHEN 'track' THEN 0 WHEN 'page' THEN 1 ELSE 2 END"
    columns = f"person, {kind} AS kind, {names} AS place, moment, source_id, message_id, name{cuts}"
    rows = f"SELECT {columns} {chosen} ORDER BY person"
    return Selection(rows, number, parameters, shared)


def _name_of() -> str:
    return f"CASE type WHEN 'track' THEN event WHEN 'page' THEN '{PAGE}' ELSE '{SCREEN}' END"


def _of_events(reading: Reading, bound: Callable[[Any], str]) -> str:
    """The condition for rows of the events that are read."""
    if not reading.events:
        return "false"
    names = ", ".join(bound(event) for event in reading.events)
    kinds = [f"(type = 'track' AND event IN ({names}))"]
    kinds += [f"type = '{kind}'" for kind, name in (("page", PAGE), ("screen", SCREEN)) if name in reading.events]
    return f"({' OR '.join(kinds)})"


def _cut(path: Cut) -> str:
    """A part of the body as JSON text; a body that is no JSON has none."""
    return f"TRY(json_extract(body, {_quoted(_place(path))}))::VARCHAR"


def _place(path: Cut) -> str:
    return "$" + "".join(f'."{part}"' for part in path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
