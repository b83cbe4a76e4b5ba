"""The database: tables as the migrations make them, transactions, races, and stores that are away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.outcome import Count, Step
from headwater.store import Store, ledger
from headwater.store.schema import cursors, metadata


def test_the_migrations_make_the_tables_of_the_schema(migrated: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    assert migrated.run(differences) == []


def test_the_tables_have_the_keys_and_conditions_of_the_schema(migrated: Store) -> None:
    def look(connection: Connection) -> None:
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [key.name for key in table.primary_key]
            nullable = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert nullable == {column.name: bool(column.nullable) for column in table.columns}
            links = {key["constrained_columns"][0]: key["referred_table"] for key in found.get_foreign_keys(table.name)}
            assert links == {key.parent.name: key.column.table.name for key in table.foreign_keys}

    migrated.run(look)


def test_tables_are_laid_out_alike_in_whichever_way_they_are_made(tmp_path: Path) -> None:
    def layout(connection: Connection) -> dict[str, bool]:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        return {name: "WITHOUT ROWID" in sql.upper() for name, sql in rows}

    stores = [Store.in_folder(tmp_path / name) for name in ("one", "other")]
    stores[0].migrate()
    stores[1].migrate(step_by_step=True)
    found = [store.run(layout) for store in stores]
    assert found[0] == found[1]
    for store in stores:
        store.close()


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.run(lambda connection: ledger.set_cursor(connection, "a", 0, 7))
    store.migrate()
    assert store.run(lambda connection: ledger.cursor(connection, "a", 0)) == 7


def test_several_processes_may_migrate_at_once(empty_store: Store) -> None:
    program = "import sys; from headwater.store import Store; Store(sys.argv[1]).migrate()"
    processes = [subprocess.Popen([sys.executable, "-c", program, empty_store.url]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert empty_store.run(lambda connection: ledger.cursor(connection, "a", 0)) == 0


def test_threads_that_write_at_once_lose_nothing(store: Store) -> None:
    def count(connection: Connection) -> None:
        ledger.add(connection, [Count("s", place, 1, Step.DELIVERED, "", 1) for place in "abc"])

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(store.run, count) for _ in range(120)]:
            done.result()
    assert [count.events for count in store.run(ledger.totals)] == [120, 120, 120]


def test_a_transaction_that_lost_a_race_is_run_again(store: Store) -> None:
    first, together = threading.Event(), threading.Barrier(2, timeout=30)
    tries: list[str] = []

    def crosswise(name: str, other: str) -> None:
        def change(connection: Connection) -> None:
            tries.append(name)
            ledger.set_cursor(connection, name, 0, 1)
            if not first.is_set() and not store.url.startswith("sqlite"):
                together.wait()
                first.set()
            ledger.set_cursor(connection, other, 0, 2)

        store.run(change)

    for name in ("a", "b"):
        store.run(lambda connection, name=name: ledger.set_cursor(connection, name, 0, 0))
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(crosswise, "a", "b"), threads.submit(crosswise, "b", "a")]:
            done.result()
    if not store.url.startswith("sqlite"):
        assert len(tries) > 2


def test_a_race_is_run_again_until_it_is_won(store: Store) -> None:
    tries: list[int] = []

    def change(_connection: Connection) -> str:
        tries.append(1)
        if len(tries) < 4:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return "won"

    assert store.run(change) == "won"
    assert len(tries) == 4


def test_a_race_that_is_always_lost_means_that_the_store_is_away(store: Store) -> None:
    def change(_connection: Connection) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with pytest.raises(Unavailable, match="does not answer"):
        store.run(change)


def test_a_change_that_fails_leaves_nothing_behind(store: Store) -> None:
    def change(connection: Connection) -> None:
        ledger.set_cursor(connection, "a", 0, 7)
        raise SetupError("No.")

    with pytest.raises(SetupError):
        store.run(change)
    assert store.run(lambda connection: ledger.cursor(connection, "a", 0)) == 0


def test_a_broken_rule_of_the_tables_is_not_mistaken_for_a_store_that_is_away(store: Store) -> None:
    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(cursors.insert().values(name="a", partition=0, position=1))

    with pytest.raises(IntegrityError):
        store.run(twice)


def test_reading_and_writing_do_not_hold_up_the_event_loop(store: Store) -> None:
    async def both() -> int:
        await store.write(lambda connection: ledger.set_cursor(connection, "a", 0, 7))
        return await store.read(lambda connection: ledger.cursor(connection, "a", 0))

    assert asyncio.run(both()) == 7


def test_a_reader_does_not_wait_for_a_writer(store: Store) -> None:
    writing, done = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        ledger.set_cursor(connection, "a", 0, 7)
        writing.set()
        assert done.wait(30)

    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(store.run, hold)
        assert writing.wait(30)
        assert store.run(lambda connection: ledger.cursor(connection, "a", 0), write=False) == 0
        done.set()
        holding.result()
    assert store.run(lambda connection: ledger.cursor(connection, "a", 0), write=False) == 7


def test_a_store_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder/x.sqlite", f"postgresql+psycopg://nobody@/x?host={tmp_path}"):
        store = Store(url)
        with pytest.raises(Unavailable):
            store.run(lambda connection: ledger.cursor(connection, "a", 0))
        store.close()


def test_a_store_whose_connections_are_all_in_use_is_unavailable(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    store.migrate()
    full = sa.create_engine(store.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    store.close()
    store._engine = full
    with full.connect(), pytest.raises(Unavailable, match="no connection free"):
        store.run(lambda connection: ledger.cursor(connection, "a", 0))
    store.close()


def test_what_is_written_to_the_embedded_store_survives_the_loss_of_power(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path / "made" / "on" / "the" / "way")

    def pragmas(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert store.run(pragmas) == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    store.close()


def test_a_transaction_that_events_wait_for_folds_a_log_much_larger_than_usual_only(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)

    def pages(connection: Connection) -> int:
        return connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()

    assert store.run(pages, awaited=True) >= 4 * store.run(pages)
    store.close()
