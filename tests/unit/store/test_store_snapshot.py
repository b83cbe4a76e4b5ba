"""The snapshot: the workspace as a role sees it, swapped whole."""

from __future__ import annotations

import asyncio

import pytest

from headwater.spec.errors import SetupError
from headwater.store import Store
from headwater.store import workspace as workspaces
from headwater.store.schema import workspaces as table
from headwater.store.snapshot import Snapshot


@pytest.fixture
def made(store: Store) -> Store:
    row = {"id": "w", "slug": "main", "name": "Main", "version": 1, "locked": False, "created_at": 0}
    store.run(lambda connection: connection.execute(table.insert().values(row)))
    return store


def test_there_is_no_snapshot_before_there_is_a_workspace(store: Store) -> None:
    assert store.run(workspaces.version) == -1
    with pytest.raises(SetupError, match="headwater serve"):
        asyncio.run(Snapshot.take(store))


def test_a_snapshot_is_the_same_until_the_version_moves(made: Store) -> None:
    async def watch() -> None:
        snapshot = await Snapshot.take(made)
        first = snapshot.current
        await snapshot.refresh()
        assert snapshot.current is first
        await made.write(workspaces.touch)
        await snapshot.refresh()
        assert snapshot.current is not first
        assert snapshot.current.version == first.version + 1

    asyncio.run(watch())


def test_a_snapshot_keeps_itself_fresh_until_it_is_stopped(made: Store) -> None:
    async def watch() -> None:
        snapshot = await Snapshot.take(made)
        before = snapshot.current.version
        stopping = asyncio.Event()
        keeping = asyncio.create_task(snapshot.keep_fresh(stopping, every=0.01))
        await made.write(workspaces.touch)
        async with asyncio.timeout(30):
            while snapshot.current.version == before:
                await asyncio.sleep(0.005)
        stopping.set()
        await keeping

    asyncio.run(watch())


def test_a_store_that_is_away_leaves_the_last_snapshot_in_force(made: Store) -> None:
    async def watch() -> None:
        snapshot = await Snapshot.take(made)
        last = snapshot.current
        asked = asyncio.Event()

        class Away(Store):
            async def read(self, query):  # type: ignore[no-untyped-def]
                asked.set()
                return await super().read(query)

        away = Away("sqlite:////no/such/folder/x.sqlite")
        snapshot._store = away
        stopping = asyncio.Event()
        keeping = asyncio.create_task(snapshot.keep_fresh(stopping, every=0.01))
        await asyncio.wait_for(asked.wait(), 30)
        stopping.set()
        await keeping
        assert snapshot.current is last
        away.close()

    asyncio.run(watch())
