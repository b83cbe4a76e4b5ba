"""Laying events flat never fails, whatever they hold; neither does making rows of them."""

import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.warehouse.casting import ARROW, Kind, cast_values, kind_of
from headwater.warehouse.flatten import Flat, flatten
from headwater.warehouse.fold import fold
from headwater.warehouse.naming import Names
from headwater.warehouse.tables import Batch, Capabilities, rows_for

SMALL = Capabilities(identifier_bytes=20, columns=25, upsert_columns=20, row_bytes=360, nul=False)
LARGE = Capabilities(identifier_bytes=255, columns=5_000, upsert_columns=5_000)
LOADED_AT = 1_704_067_200_000

any_text = st.text(st.characters(exclude_categories=()), max_size=20)
key = st.one_of(any_text, st.sampled_from(["id", "a", "A", "a_b", "context_ip", "_overflow", "select", "", "1"]))
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**45), 10**45),
    st.floats(),
    any_text,
    st.sampled_from(["2024-01-01", "12", "1.5", "true", "\ud800", "\x00"]),
)
json_value = st.recursive(
    scalar, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(key, inner, max_size=4)), max_leaves=12
)
IDS = ("messageId", "userId", "anonymousId", "groupId", "previousId", "event", "name", "category")
OTHERS = ("properties", "traits", "context", "timestamp", "sentAt", "originalTimestamp")
events = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias"])},
    optional=dict.fromkeys(IDS + OTHERS, json_value),
)


def lay(body: dict[str, Any], names: Names, at: int = 0) -> Flat:
    flat = flatten(body, received_at=1_700_000_000_000 + at, names=names)
    assert flat is not None
    return flat


@given(st.lists(events, min_size=1, max_size=5), st.sampled_from([SMALL, LARGE]))
def test_any_events_make_rows_that_fit_the_engine(bodies: list[dict[str, Any]], capabilities: Capabilities) -> None:
    names = Names(capabilities.identifier_bytes, nul=capabilities.nul)
    flats = [lay(body, names, at) for at, body in enumerate(bodies)]
    batch = Batch(flats, LOADED_AT, capabilities)
    for table in {flat.table for flat in flats}:
        places = [place for place, flat in enumerate(flats) if flat.table == table]
        rows = rows_for(table, places, batch, None)
        assert rows.data.num_rows == len(places)
        assert set(rows.data.column_names) <= set(rows.new)
        assert len(rows.new) <= capabilities.columns + 1
        assert all(len(name) <= capabilities.identifier_bytes for name in rows.new)
        assert all(rows.data.schema.field(name).type == ARROW[rows.new[name]] for name in rows.data.column_names)
        again = rows_for(table, places, batch, dict(rows.new))
        assert again.new == {}
    about = [flat for flat in flats if flat.about]
    if about:
        first = fold("users", about, LOADED_AT, None, None, capabilities=capabilities)
        assert first.data.num_rows == len({flat.about for flat in about})
        second = fold("users", about, LOADED_AT, dict(first.new), first.data, capabilities=capabilities)
        assert second.data.num_rows == first.data.num_rows


@given(st.lists(scalar, max_size=8), st.sampled_from(Kind), st.booleans())
def test_casting_never_raises_and_hands_back_what_does_not_fit(values: list[Any], kind: Kind, nul: bool) -> None:
    array, misfits = cast_values(values, kind, nul=nul)
    assert array.type == ARROW[kind]
    for place, (value, fitted) in enumerate(zip(values, array.to_pylist(), strict=True)):
        if fitted is None:
            assert value is None or place in misfits
        if not nul and kind is Kind.TEXT and fitted is not None:
            assert "\x00" not in fitted


@given(scalar.filter(lambda value: value is not None))
def test_a_value_fits_the_kind_of_column_that_it_makes(value: Any) -> None:
    _, misfits = cast_values([value], kind_of(value))
    assert not misfits or (isinstance(value, float) and not math.isfinite(value))


def test_an_event_deeper_than_any_name_keeps_its_depths_as_text() -> None:
    body: dict[str, Any] = {"type": "track", "event": "E", "messageId": "m"}
    inner: dict[str, Any] = {"leaf": 1}
    for _ in range(90):
        inner = {"a": inner}
    flat = lay(body | {"properties": inner}, Names())
    [(name, value)] = flat.own.items()
    assert name.startswith("a_a_a")
    assert msgspec.json.decode(value)


def test_what_is_no_event_of_a_known_type_has_no_rows() -> None:
    for body in ({}, {"type": "delete"}, {"type": ["track"]}, {"type": None}):
        assert flatten(body, received_at=0, names=Names()) is None


def test_common_columns_are_cast_once_for_all_tables() -> None:
    names = Names()
    flats = [lay({"type": "track", "event": f"E{at}", "messageId": f"m{at}"}, names) for at in range(3)]
    batch = Batch(flats, LOADED_AT, LARGE)
    tables = [rows_for(f"e{at}", [at], batch, None) for at in range(3)]
    assert [rows.data["id"].to_pylist() for rows in tables] == [["m0"], ["m1"], ["m2"]]
    assert batch.common("id").cast(Kind.TEXT)[0] is batch.common("id").cast(Kind.TEXT)[0]


@pytest.mark.parametrize(
    ("value", "kind", "fitted", "fits"),
    [
        (1.7, Kind.INTEGER, 1, False),
        (-1.7, Kind.INTEGER, -1, False),
        (2.0, Kind.INTEGER, 2, True),
        (" 12 ", Kind.INTEGER, 12, True),
        ("12a", Kind.INTEGER, None, False),
        (2**63, Kind.INTEGER, None, False),
        (2**53 + 1, Kind.FLOAT, float(2**53), False),
        ("1e3", Kind.FLOAT, 1000.0, True),
        ("nan", Kind.FLOAT, None, False),
        (10**400, Kind.FLOAT, None, False),
        ("TRUE", Kind.BOOLEAN, True, True),
        (0, Kind.BOOLEAN, False, True),
        (1.0, Kind.BOOLEAN, None, False),
        (1704067200, Kind.TIMESTAMP, None, False),
        (False, Kind.TEXT, "false", True),
        ("\ud800x", Kind.TEXT, "\ufffdx", True),
    ],
)
def test_a_value_of_another_type_is_cast_as_well_as_can_be(value: Any, kind: Kind, fitted: Any, fits: bool) -> None:
    array, misfits = cast_values([None, value], kind)
    assert array.to_pylist() == [None, fitted]
    assert misfits == ({} if fits else {1: value})


def test_arrow_is_not_allowed_to_cut_decimals_off_in_silence() -> None:
    assert pa.array([1.5], pa.int64()).to_pylist() == [1]
    assert cast_values([1, 1.5], Kind.INTEGER)[1] == {1: 1.5}
