"""Copying a log and a store: all of it, in its place, and again where it was interrupted."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from headwater.app.moving import records, rows
from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.shifted import Shifted
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.spec.errors import SetupError
from headwater.store import Store, moved, tokens
from headwater.store import workspace as workspaces
from headwater.store.schema import cursors, metadata, outbox


def _records(count: int, name: str = "r") -> list[Record]:
    return [Record(b"k", b"h", f"{name}{number}".encode()) for number in range(count)]


async def _old_log() -> MemoryLog:
    log = MemoryLog(partitions=2)
    await log.append(COLLECTED, 0, _records(5_000))
    await log.append(COLLECTED, 1, _records(3))
    await log.append(PROCESSED, 1, _records(7))
    await log.commit("deliver", PROCESSED, 1, 4)
    return log


def test_every_record_and_cursor_keeps_its_place() -> None:
    async def scenario() -> None:
        old, new = await _old_log(), MemoryLog(partitions=4)
        wanted = await records.stretches(old)
        copied: list[int] = []
        await records.copy(old, new, wanted, copied.append)
        await records.check(old, new, wanted)
        assert sum(copied) == 5_010
        assert await new.bounds(COLLECTED, 0) == (0, 5_000)
        assert (await new.read(PROCESSED, 1, 6)).records == [Record(b"k", b"h", b"r6")]
        assert await records.copy_cursors(old, new) == 1
        assert await new.committed("deliver", PROCESSED, 1) == 4

    asyncio.run(scenario())


def test_a_copy_that_was_interrupted_goes_on_where_it_was() -> None:
    async def scenario() -> None:
        old, new = await _old_log(), MemoryLog(partitions=2)
        await new.append(COLLECTED, 0, _records(1_234))
        wanted = await records.stretches(old)
        await records.copy(old, new, wanted, lambda _: None)
        await records.check(old, new, wanted)

    asyncio.run(scenario())


@pytest.mark.parametrize(("partition", "there"), [(0, _records(9, "other")), (3, _records(1)), (1, _records(4))])
def test_a_log_that_holds_something_else_is_refused(partition: int, there: list[Record]) -> None:
    async def scenario() -> None:
        old, new = await _old_log(), MemoryLog(partitions=4)
        await new.append(COLLECTED, partition, there)
        wanted = await records.stretches(old)
        with pytest.raises(SetupError, match=f"something else in partition {partition} of collected"):
            await records.copy(old, new, wanted, lambda _: None)
            await records.check(old, new, wanted)

    asyncio.run(scenario())


def test_what_the_old_log_has_forgotten_leaves_positions_as_they_were() -> None:
    async def scenario() -> None:
        old = Shifted(MemoryLog(), {("collected", 0): 700})
        await old.append(COLLECTED, 0, _records(3))
        wanted = await records.stretches(old)
        new = Shifted(MemoryLog(), {(each.stream, each.partition): each.first for each in wanted})
        await records.copy(old, new, wanted, lambda _: None)
        assert await new.bounds(COLLECTED, 0) == (700, 703)

    asyncio.run(scenario())


def _store(folder: Path) -> Store:
    store = Store.in_folder(folder)
    store.migrate()
    return store


def _fill(store: Store) -> None:
    def change(connection: sa.Connection) -> None:
        workspaces.create_workspace(connection, slug="w", name="W")
        workspaces.create_source(connection, slug="s", name="Ünï\0code", write_key="k", settings={"a": [1, None, "b"]})
        parent = tokens.create_token(connection, name="Parent", scopes=["*"], token="hw_parent")
        assert parent
        connection.execute(outbox.insert(), [{"partition": 0, "source_id": "s", "message": b"\0\xff"}] * 3)
        connection.execute(cursors.insert(), {"name": "ledger", "partition": 0, "position": 2**40})

    store.run(change)


def test_every_row_of_every_table_comes_over_and_the_move_is_remembered(tmp_path: Path) -> None:
    old, new = _store(tmp_path / "old"), _store(tmp_path / "new")
    _fill(old)
    told: list[int] = []
    sums = rows.copy(old, new, lambda c: moved.note(c, {("processed", 0): (5, 9)}), told.append)
    assert sum(told) == sum(each.rows for each in sums.values()) == sum(rows.count(old).values())
    assert {name: number for name, number in rows.count(new).items() if name != "cursors"} == {
        name: number for name, number in rows.count(old).items() if name != "cursors"
    }
    assert new.run(moved.starts, write=False) == {("processed", 0): 5}
    assert new.run(lambda connection: moved.ends(connection, "processed"), write=False) == {0: 9}
    query = sa.select(outbox.c.message)
    assert new.run(lambda c: c.execute(query).scalars().all(), write=False) == [b"\0\xff"] * 3


def test_a_copy_in_which_a_row_is_another_is_undone_whole(tmp_path: Path) -> None:
    old, new = _store(tmp_path / "old"), _store(tmp_path / "new")
    _fill(old)

    def spoil(connection: sa.Connection) -> None:
        connection.exec_driver_sql(
            "CREATE TRIGGER spoil AFTER INSERT ON tokens BEGIN UPDATE tokens SET name = 'x'; END"
        )

    new.run(spoil)
    with pytest.raises(SetupError, match="table tokens has 1 rows"):
        rows.copy(old, new, lambda _: None, lambda _: None)
    assert sum(rows.count(new).values()) == 0


def test_no_table_is_forgotten() -> None:
    assert {table.name for table in rows.TABLES} | {"leases"} == set(metadata.tables)
