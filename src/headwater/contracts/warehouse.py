"""What every warehouse engine promises, as a suite that an engine's author can run.

    for promise in PROMISES:
        promise(Trial(definition, settings, Place(folder, "w1")))

Each promise works in a schema of its own and raises AssertionError when it is broken.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from headwater.spec.wire import JSON
from headwater.warehouse.casting import ARROW, Kind
from headwater.warehouse.engines import EngineDefinition, Place, Session
from headwater.warehouse.flatten import uuid_of
from headwater.warehouse.load import Loaded, Notices, lay_flat, put
from headwater.warehouse.naming import Names

_LOADED_AT: Final = 1_700_000_100_000


class Trial(msgspec.Struct, frozen=True):
    """An engine with settings that reach a real warehouse."""

    definition: EngineDefinition
    settings: dict[str, Any]
    place: Place

    def load(self, schema: str, events: Sequence[dict[str, JSON]], *, received_at: int = 1_700_000_000_000) -> Loaded:
        """Load published events, received a second apart."""
        capabilities = self.definition.capabilities()
        names, notices = Names(capabilities.identifier_bytes, nul=capabilities.nul), Notices()
        published = [(msgspec.json.encode(event), received_at + 1_000 * at) for at, event in enumerate(events)]
        lay_flat(published, names=names, notices=Notices())  # so that forms know what they are to read
        flats = lay_flat(published, names=names, notices=notices)
        with self.definition.open(self.settings, self.place) as session:
            return put(session, {schema: [flats]}, now=_LOADED_AT, capabilities=capabilities, notices=notices)

    def tables(self, schema: str) -> dict[str, dict[str, Kind | None]]:
        """The tables of a schema and their columns."""
        with self.definition.open(self.settings, self.place) as session:
            return session.columns([schema]).get(schema, {})

    def rows(self, schema: str, table: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The rows with those ids, in the order of the ids."""
        with self.definition.open(self.settings, self.place) as session:
            return _rows(session, schema, table, ids)


def an_empty_schema_has_no_tables(trial: Trial) -> None:
    """`columns` of a schema that does not exist is empty, and not an error."""
    trial.definition.check(trial.settings, trial.place)
    assert trial.tables(_new_schema()) == {}


def the_tables_of_several_schemas_are_told_apart(trial: Trial) -> None:
    """`columns` tells of every schema that it is asked for, and of no other."""
    one, other, third = _new_schema(), _new_schema(), _new_schema()
    for schema, name in ((one, "a"), (other, "b"), (third, "c")):
        trial.load(schema, [_event("m1", {name: 1})])
    with trial.definition.open(trial.settings, trial.place) as session:
        found = session.columns([one, other, _new_schema()])
    assert found.keys() == {one, other}
    assert ("a" in found[one]["e"], "b" in found[one]["e"]) == (True, False)
    assert ("a" in found[other]["e"], "b" in found[other]["e"]) == (False, True)


def every_kind_of_value_comes_back(trial: Trial) -> None:
    """Values of all five types, their extremes and nulls are read as they were written."""
    schema = _new_schema()
    cells: dict[str, list[Any]] = {
        "id": ["a", "b", "c"],
        "uuid": [uuid_of("a"), uuid_of("b"), uuid_of("c")],
        "text": ["", "é\"'\n\r\t,;\\N\\.💧", None],
        "integer": [-(2**63), 2**63 - 1, None],
        "float": [-1.5e300, 5e-324, None],
        "boolean": [True, False, None],
        "timestamp": [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_000), None],  # noqa: DTZ001 - UTC
    }
    kinds = {name: Kind(name) for name in cells if name not in ("id", "uuid")}
    with _open(trial) as session:
        session.create(schema, "t", {"id": Kind.TEXT, "uuid": Kind.INTEGER, **kinds})
        session.insert(schema, "t", _table(cells, {"id": Kind.TEXT, "uuid": Kind.INTEGER, **kinds}))
    found = trial.rows(schema, "t", ["a", "b", "c"])
    assert found == [{name: values[at] for name, values in cells.items()} for at in range(3)]
    assert trial.tables(schema)["t"] == {"id": Kind.TEXT, "uuid": Kind.INTEGER, **kinds}


def a_block_that_raises_leaves_nothing(trial: Trial) -> None:
    """Tables, columns and rows of a session that fails are all undone."""
    schema = _new_schema()
    _make(trial, schema, ["a"])
    try:
        with _open(trial) as session:
            session.add(schema, "t", {"more": Kind.TEXT})
            session.insert(schema, "t", _ids(["b"]))
            session.create(schema, "u", {"id": Kind.TEXT})
            raise _Failure
    except _Failure:
        pass
    assert list(trial.tables(schema)) == ["t"]
    assert trial.rows(schema, "t", ["a", "b"]) == [{"id": "a", "uuid": uuid_of("a")}]


def known_ids_are_found_and_no_others(trial: Trial) -> None:
    """`known` compares whole ids, and not only their hashes."""
    schema = _new_schema()
    _make(trial, schema, ["a", "b"])
    with _open(trial) as session:
        assert session.known(schema, "t", ["a", "x"], [uuid_of("a"), uuid_of("x")]) == {"a"}
        assert session.known(schema, "t", ["x"], [uuid_of("a")]) == set()
        assert session.known(schema, "t", [], []) == set()


def deleting_takes_the_rows_asked_for(trial: Trial) -> None:
    """`delete` and `insert` in one session replace rows."""
    schema = _new_schema()
    _make(trial, schema, ["a", "b"])
    with _open(trial) as session:
        session.delete(schema, "t", ["a"], [uuid_of("a")])
        session.insert(schema, "t", _ids(["c"]))
    assert [row["id"] for row in trial.rows(schema, "t", ["a", "b", "c"])] == ["b", "c"]


def rows_are_found_and_deleted_by_another_column(trial: Trial) -> None:
    """`rows` and `delete` search the column that `by` names, of which many rows may hold one id."""
    schema = _new_schema()
    cells = {"uuid": [uuid_of(one) for one in "aab"], "who": ["a", "a", "b"], "id": ["1", "2", "3"]}
    kinds = {"uuid": Kind.INTEGER, "who": Kind.TEXT, "id": Kind.TEXT}
    with _open(trial) as session:
        session.create(schema, "t", kinds)
        session.insert(schema, "t", _table(cells, kinds))
        found = session.rows(schema, "t", ["a", "x"], [uuid_of("a"), uuid_of("x")], by="who").to_pylist()
        assert sorted(row["id"] for row in found) == ["1", "2"]
        session.delete(schema, "t", ["a"], [uuid_of("a")], by="who")
        assert session.rows(schema, "t", ["a", "b"], [uuid_of("a"), uuid_of("b")], by="who").num_rows == 1


def columns_not_given_are_null(trial: Trial) -> None:
    """`insert` matches columns by name, in any order."""
    schema = _new_schema()
    _make(trial, schema, [])
    with _open(trial) as session:
        session.add(schema, "t", {"one": Kind.INTEGER, "two": Kind.TEXT})
        columns = {"two": ["x"], "uuid": [uuid_of("a")], "id": ["a"]}
        session.insert(schema, "t", _table(columns, {"two": Kind.TEXT, "uuid": Kind.INTEGER, "id": Kind.TEXT}))
    assert trial.rows(schema, "t", ["a"]) == [{"id": "a", "uuid": uuid_of("a"), "one": None, "two": "x"}]


def the_longest_names_are_taken(trial: Trial) -> None:
    """Names of `identifier_bytes` are kept whole, so that two of them are never mixed up."""
    schema, longest = _new_schema(), trial.definition.capabilities().identifier_bytes
    names = ["a" * (longest - 1) + last for last in "xy"]
    with _open(trial) as session:
        for name in names:
            session.create(schema, name, {"id": Kind.TEXT, name: Kind.INTEGER})
    assert trial.tables(schema) == {name: {"id": Kind.TEXT, name: Kind.INTEGER} for name in names}


def the_widest_rows_are_taken(trial: Trial) -> None:
    """An event with more properties than any table has columns loads, and nothing of it is lost."""
    schema = _new_schema()
    wide: dict[str, JSON] = {
        f"p{number}": f"value number {number}, too long to be kept short" for number in range(6_000)
    }
    trial.load(schema, [_event("m1", wide)])
    [row] = trial.rows(schema, "e", ["m1"])
    kept = {name: value for name, value in row.items() if name in wide and value is not None}
    overflowed = msgspec.json.decode(row["_overflow"])
    assert kept | overflowed == wide
    assert len(kept) > 300
    person: dict[str, JSON] = {"type": "identify", "messageId": "i1", "userId": "u1", "traits": wide}
    trial.load(schema, [person])
    [row] = trial.rows(schema, "users", ["u1"])
    kept = {name: value for name, value in row.items() if name in wide and value is not None}
    assert kept | msgspec.json.decode(row["_overflow"]) == wide


def awkward_values_load(trial: Trial) -> None:
    """Control characters, enormous numbers and long texts fail no load, and nothing of them is lost."""
    schema = _new_schema()
    awkward: dict[str, JSON] = {
        "nul": "a\u0000b",
        "digits": 10**40,
        "long": "x" * 300_000,
        "controls": "".join(map(chr, range(1, 32))),
        "tiny": 5e-324,
    }
    trial.load(schema, [_event("m1", awkward)])
    trial.load(schema, [_event("m2", awkward)])
    for one in ("m1", "m2"):
        [row] = trial.rows(schema, "e", [one])
        overflowed: dict[str, Any] = msgspec.json.decode(row.get("_overflow") or "{}")
        assert overflowed.get("nul", row["nul"]) == "a\u0000b"
        assert (row["digits"], row["long"], row["controls"]) == (str(10**40), "x" * 300_000, awkward["controls"])
        assert row["tiny"] == 5e-324


def loading_again_changes_nothing(trial: Trial) -> None:
    """A batch that was loaded before adds no rows and changes nobody."""
    schema = _new_schema()
    person: dict[str, JSON] = {"type": "identify", "messageId": "i1", "userId": "u1", "traits": {"plan": "a"}}
    assert trial.load(schema, [_event("m1", {}), person]).rows == 4
    trial.load(schema, [person | {"messageId": "i2", "traits": {"plan": "b"}}], received_at=1_700_000_050_000)
    assert trial.load(schema, [_event("m1", {}), person]).rows == 0
    assert [row["plan"] for row in trial.rows(schema, "users", ["u1"])] == ["b"]


PROMISES: Final[tuple[Callable[[Trial], None], ...]] = (
    an_empty_schema_has_no_tables,
    the_tables_of_several_schemas_are_told_apart,
    every_kind_of_value_comes_back,
    a_block_that_raises_leaves_nothing,
    known_ids_are_found_and_no_others,
    deleting_takes_the_rows_asked_for,
    rows_are_found_and_deleted_by_another_column,
    columns_not_given_are_null,
    the_longest_names_are_taken,
    the_widest_rows_are_taken,
    awkward_values_load,
    loading_again_changes_nothing,
)


class _Failure(Exception):
    """Raised to make a session fail."""


def _open(trial: Trial) -> Any:
    return trial.definition.open(trial.settings, trial.place)


def _new_schema() -> str:
    return f"s{uuid.uuid4().hex[:12]}"


def _event(message_id: str, properties: dict[str, JSON]) -> dict[str, JSON]:
    return {"type": "track", "event": "E", "messageId": message_id, "userId": "u1", "properties": properties}


def _make(trial: Trial, schema: str, ids: list[str]) -> None:
    with _open(trial) as session:
        session.create(schema, "t", {"id": Kind.TEXT, "uuid": Kind.INTEGER})
        session.insert(schema, "t", _ids(ids))


def _ids(ids: list[str]) -> Any:
    return _table({"id": ids, "uuid": [uuid_of(one) for one in ids]}, {"id": Kind.TEXT, "uuid": Kind.INTEGER})


def _table(columns: dict[str, list[Any]], kinds: dict[str, Kind]) -> Any:
    return pa.table({name: pa.array(values, ARROW[kinds[name]]) for name, values in columns.items()})


def _rows(session: Session, schema: str, table: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.rows(schema, table, ids, [uuid_of(one) for one in ids]).to_pylist()
    for row in found:
        for name, value in row.items():
            if isinstance(value, datetime):
                row[name] = value.replace(tzinfo=None)
    return sorted(found, key=lambda row: ids.index(row["id"]))
