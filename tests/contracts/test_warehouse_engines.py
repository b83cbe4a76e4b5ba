"""Every warehouse engine keeps the promises, and every golden case comes out the same in all of them."""

from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import msgspec
import pytest
import yaml

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.contracts.warehouse import PROMISES, Trial
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.naming import snake_case
from headwater.warehouse import engines
from headwater.warehouse.engines import Place, definition

CASES = Path(__file__).parents[1] / "cases" / "warehouse"
EVERYONE = [f"{letter}{number}" for letter in "miugcpsat" for number in range(1, 10)]


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with postgres_server(tmp_path_factory.mktemp("server")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield url


def postgres_settings(url: str) -> dict[str, Any]:
    parts = urlparse(url)
    return {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "username": parts.username}


@pytest.fixture(params=engines.names())
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    """An engine with a warehouse. A new engine needs a line here when its settings have to name something."""
    settings: dict[str, Any] = {}
    if request.param == "postgres":
        settings = postgres_settings(request.getfixturevalue("postgres_url"))
    return Trial(definition(request.param), settings, Place(tmp_path, "w1"))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_an_engine_keeps_its_promise(trial: Trial, promise: Callable[[Trial], None]) -> None:
    promise(trial)


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['why']}")
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())
    ]


@pytest.mark.parametrize("case", cases())
def test_events_become_the_rows_of_the_case(trial: Trial, case: dict[str, Any]) -> None:
    schema = snake_case(case["why"])[:60]
    received = case.get("received", [1_700_000_000_000 + 1_000 * at for at in range(len(case["loads"]))])
    for events, received_at in zip(case["loads"], received, strict=True):
        loaded = trial.load(schema, events, received_at=received_at)
    for table, expected in case["rows"].items():
        found = trial.rows(schema, table, EVERYONE)
        assert [row["id"] for row in found] == sorted((row["id"] for row in expected), key=EVERYONE.index)
        for row in found:
            [wanted] = [wanted for wanted in expected if wanted["id"] == row["id"]]
            for column, value in wanted.items():
                assert shown(row, column) == value, f"{table}.{column} of {row['id']}"
    assert not set(case.get("no_tables", [])) & set(trial.tables(schema))
    if "notices" in case:
        assert len(loaded.notices) == case["notices"]


def shown(row: dict[str, Any], column: str) -> Any:
    if column not in row:
        return "(no column)"
    if column == "_overflow" and row[column] is not None:
        return msgspec.json.decode(row[column])
    return row[column]


def test_a_column_whose_type_was_changed_by_hand_is_left_alone(trial: Trial) -> None:
    person: dict[str, Any] = {"type": "identify", "messageId": "i1", "userId": "u1", "traits": {"age": 5, "name": "A"}}
    trial.load("by_hand", [person])
    with trial.definition.open(trial.settings, trial.place) as session:
        session._connection.execute("ALTER TABLE by_hand.users ALTER COLUMN age TYPE numeric(10, 2)")  # type: ignore[attr-defined]
    trial.load("by_hand", [person | {"messageId": "i2", "traits": {"age": 7, "name": "B"}}])
    [row] = trial.rows("by_hand", "users", ["u1"])
    assert (float(row["age"]), row["name"], row["_overflow"]) == (5.0, "B", '{"age":7}')


def test_postgres_says_what_its_owner_must_change(postgres_url: str, tmp_path: Path) -> None:
    engine, good = definition("postgres"), postgres_settings(postgres_url)
    place = Place(tmp_path, "w1")
    engine.check(good, place)
    for change, said in (
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"username": "nobody"}, 'role "nobody" does not exist'),
        ({"host": ""}, "needs a host"),
        ({"sslmode": "odd"}, "sslmode"),
    ):
        with pytest.raises((SetupError, Unavailable), match=said):
            engine.check(good | change, place)


def test_postgres_that_is_away_is_unavailable(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        definition("postgres").check(postgres_settings(postgres_url) | {"port": 1}, Place(tmp_path, "w1"))


def test_a_secret_never_shows_in_what_is_said(postgres_url: str, tmp_path: Path) -> None:
    settings = postgres_settings(postgres_url) | {"password": "hunter2-hunter2", "database": "nowhere"}
    with pytest.raises(SetupError) as raised:
        definition("postgres").check(settings, Place(tmp_path, "w1"))
    assert "hunter2" not in str(raised.value)


def test_a_file_that_is_no_duckdb_says_so(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_text("something else entirely " * 100)
    with pytest.raises(SetupError, match="cannot be opened"):
        definition("duckdb").check({"path": path.name}, Place(tmp_path, "w1"))


def test_an_engine_that_is_not_there_is_named() -> None:
    with pytest.raises(SetupError, match='no warehouse engine "oracle"; there are duckdb, postgres'):
        definition("oracle")


def test_moments_are_kept_in_utc(trial: Trial) -> None:
    event = {"type": "track", "event": "E", "messageId": "m1", "timestamp": "2024-06-01T12:00:00.000+05:00"}
    trial.load("moments", [event])
    [row] = trial.rows("moments", "tracks", ["m1"])
    assert row["timestamp"] == datetime(2024, 6, 1, 7)
    assert row["uuid_ts"] == datetime(2023, 11, 14, 22, 15)


@pytest.mark.parametrize(
    "path", ["/etc/w.duckdb", "../w.duckdb", "a/../../w", "a//b", ".", "a\0b", "a" * 300, 7, "link/w"]
)
def test_a_duckdb_file_is_nowhere_but_in_the_folder_of_warehouses(tmp_path: Path, path: Any) -> None:
    place = Place(tmp_path / "warehouse", "w1")
    place.folder.mkdir()
    (place.folder / "link").symlink_to(tmp_path)
    with pytest.raises(SetupError, match="must be relative"):
        definition("duckdb").check({"path": path}, place)
    assert [each.name for each in tmp_path.rglob("*")] == ["warehouse", "link"]


def test_a_duckdb_file_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    definition("duckdb").check({"path": "mine/lake.duckdb"}, Place(tmp_path, "w1"))
    assert (tmp_path / "mine" / "lake.duckdb").exists()
