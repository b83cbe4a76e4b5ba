"""Forms read events as flattening lays them flat, or leave them to it."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.warehouse.flatten import UPSERTS, Flat, flatten
from headwater.warehouse.fold import fold
from headwater.warehouse.laid import Laid, laid
from headwater.warehouse.laying import lay, read_body
from headwater.warehouse.naming import Names
from headwater.warehouse.tables import Batch, Capabilities, Rows, rows_for

LARGE = Capabilities(identifier_bytes=255, columns=5_000, upsert_columns=5_000)
WITHOUT_NUL = Capabilities(identifier_bytes=63, columns=1_400, upsert_columns=380, row_bytes=7_000, nul=False)
NOW = 1_704_067_200_000

scalar = st.one_of(
    st.sampled_from([None, True, 0, 1, 1.0, 2.5, -0.0, 10**25, 2**63, "", "a", "é\x00", "2024-01-01", "12"]),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
)
key = st.sampled_from(["a", "A", "a_b", "b", "id", "userId", "context_ip", "name", "group_id", "用户", "", "select"])
value = st.recursive(
    scalar, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(key, inner, max_size=3)), max_leaves=6
)
object_ = st.one_of(st.dictionaries(key, value, max_size=4), st.just({"a": 1, "b": {"a": "x"}}), st.none())
text = st.sampled_from(["u1", "u2", "", "é", "a\x00", None, 5, ["u1"], {"a": 1}])
events = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["track", "track", "identify", "page", "group", "alias", "other"])},
        optional={
            **dict.fromkeys(("userId", "anonymousId", "groupId", "previousId", "name", "category"), text),
            **dict.fromkeys(("properties", "traits", "context"), object_),
            **dict.fromkeys(("timestamp", "sentAt"), st.sampled_from(["2024-01-01T00:00:00.000Z", "x", "", None, 7])),
            "messageId": st.one_of(st.integers(0, 5).map(str), text),
            "event": st.sampled_from(["E", "e", "F", "tracks", "", None, 5]),
        },
    ),
    max_size=6,
)


def published(bodies: list[dict[str, Any]]) -> list[tuple[bytes, int]]:
    return [(msgspec.json.encode(body), NOW + at % 3) for at, body in enumerate(bodies)]


def one_by_one(events: list[tuple[bytes, int]], names: Names) -> list[Flat]:
    bodies = [(read_body(value), received_at) for value, received_at in events]
    flats = [flatten(body, received_at=at, names=names) for body, at in bodies if body is not None]
    return [flat for flat in flats if flat is not None]


def shown(rows: Rows) -> Any:
    """What rows say: a column of nulls says nothing, and the overflow is an object."""
    cells = rows.data.to_pylist()
    for row in cells:
        row["_overflow"] = msgspec.json.decode(row.get("_overflow") or "{}")
    said = [{name: repr(value) for name, value in row.items() if value is not None} for row in cells]
    return dict(rows.new), said, rows.misfits


def tables_of(batch: Batch, capabilities: Capabilities) -> dict[str, Any]:
    events, found = batch.events, dict[str, Any]()
    for table in sorted({*events.tables, *events.event_tables} - {""}):
        places = [place for place in range(len(events)) if table in (events.tables[place], events.event_tables[place])]
        found[table] = shown(rows_for(table, places, batch, None, own=table != "tracks"))
        found[f"some of {table}"] = shown(rows_for(table, places[::2], batch, None, own=table != "tracks"))
        about = [place for place in places if place in events.about]
        if table in UPSERTS and about:
            found[UPSERTS[table]] = folded(UPSERTS[table], events, table, about, capabilities)
    return found


def folded(upserts: str, events: Laid, table: str, about: list[int], capabilities: Capabilities) -> Any:
    """Who was there after some of the events, and then after all."""
    first = fold(upserts, events.at(table, about[::2]), NOW, None, None, capabilities=capabilities)
    return shown(
        fold(upserts, events.at(table, about), NOW, dict(first.new), first.data, capabilities=capabilities)
    ), shown(first)


@settings(max_examples=150, deadline=None)
@given(events, events, st.sampled_from([LARGE, WITHOUT_NUL]))
def test_what_forms_read_is_what_flattening_makes_of_it(
    first: list[dict[str, Any]], then: list[dict[str, Any]], capabilities: Capabilities
) -> None:
    names = Names(capabilities.identifier_bytes, nul=capabilities.nul)
    lay(published(first), names=names, unreadable=lambda: None)
    told = list[None]()
    batch = published([*then, *first[::2], *then])
    quick = lay(batch, names=names, unreadable=lambda: told.append(None))
    flats = one_by_one(batch, names)
    assert len(told) == len(batch) - len(flats)
    slow = laid(flats)
    assert (quick.ids, quick.uuids, quick.tables, quick.event_tables) == (
        slow.ids,
        slow.uuids,
        slow.tables,
        slow.event_tables,
    )
    assert quick.about == slow.about
    assert tables_of(Batch(quick, NOW, capabilities), capabilities) == tables_of(
        Batch(slow, NOW, capabilities), capabilities
    )


def test_events_alike_are_not_laid_flat_one_by_one() -> None:
    names = Names()
    event = {"type": "track", "event": "E", "messageId": "m", "properties": {"a": {"b": [1]}, "c": None}, "context": {}}
    batch = published([event | {"messageId": f"m{number}"} for number in range(300)])
    assert len(lay(batch, names=names, unreadable=lambda: None).slow) == 1
    assert not lay(batch, names=names, unreadable=lambda: None).slow


def test_events_that_are_never_alike_cost_forms_no_patience() -> None:
    names = Names()
    batch = published(
        [{"type": "track", "event": f"E{at}", "messageId": "m", "properties": {f"p{at}": 1}} for at in range(1_500)]
    )
    assert len(lay(batch, names=names, unreadable=lambda: None).slow) == 1_500
    assert len(names.forms) <= 500
