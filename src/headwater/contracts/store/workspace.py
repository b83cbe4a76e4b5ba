"""What the store promises of a workspace: its sources, their keys, and what is connected to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from headwater.contracts.store.attempts import THREADS, Change, Promise, adding_to, at_once, refused, with_source
from headwater.spec.errors import SenderError
from headwater.store import (
    Store,
    names,
    tokens,
)
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

OF_WORKSPACE: Final[list[Promise]] = []
_promise = adding_to(OF_WORKSPACE)


@_promise
def migrating_twice_changes_nothing(store: Store) -> None:
    """A house that starts again, or in several processes, finds its tables and leaves them."""
    source_id = with_source(store)
    at_once(store.migrate, THREADS)
    assert store.run(workspaces.load).sources[0].id == source_id


@_promise
def what_is_written_is_read_back_as_it_was(store: Store) -> None:
    """Text of any kind, nested JSON, numbers beyond 32 bits, and lists keep their values."""
    source_id = with_source(store)
    settings: dict[str, Any] = {"text": "Zürich 🚀 \\ ' \" \n", "deep": {"list": [1, 2.5, None, True]}, "big": 2**53}
    store.run(lambda connection: workspaces.update_source(connection, source_id, settings=settings, name="Ä"))
    source = store.run(workspaces.load).sources[0]
    assert (source.settings, source.name, source.enabled) == (settings, "Ä", True)


@_promise
def every_change_moves_the_version_and_only_a_change(store: Store) -> None:
    """Roles look at the version alone to see whether their snapshot is old."""
    source_id = with_source(store)
    versions = [store.run(workspaces.version)]

    def moved(change: Change) -> Any:
        answer = store.run(change)
        versions.append(store.run(workspaces.version))
        assert versions[-1] > versions[-2], change
        return answer

    moved(lambda connection: workspaces.update_source(connection, source_id, enabled=False))
    key = moved(lambda connection: workspaces.create_write_key(connection, source_id))
    moved(lambda connection: workspaces.remove_write_key(connection, source_id, key))
    destination = moved(
        lambda connection: workspaces.create_destination(
            connection, source_id=source_id, definition="webhook", name="Hook"
        )
    )
    moved(lambda connection: workspaces.update_destination(connection, destination.id, paused=True))
    moved(lambda connection: workspaces.delete_destination(connection, destination.id))
    warehouse = moved(lambda connection: workspaces.create_warehouse(connection, engine="duckdb", name="Lake"))
    moved(lambda connection: workspaces.connect_warehouse(connection, warehouse.id, source_id, connected=False))
    moved(lambda connection: workspaces.delete_warehouse(connection, warehouse.id))
    moved(lambda connection: workspaces.delete_source(connection, source_id))
    store.run(workspaces.load)
    store.run(lambda connection: tokens.create_token(connection, name="T", scopes=["*"]))
    assert store.run(workspaces.version) == versions[-1]


@_promise
def a_change_that_fails_leaves_nothing_behind(store: Store) -> None:
    """All of a transaction or none of it."""
    with_source(store)
    before = store.run(workspaces.load)

    def half(connection: Connection) -> None:
        workspaces.create_source(connection, slug="half", name="Half")
        raise SenderError("Enough.", status=400)

    assert refused(store, half) == 400
    assert store.run(workspaces.load) == before


@_promise
def what_is_there_already_is_refused_and_what_is_not_there_is_missed(store: Store) -> None:
    """409 and 404, for each kind of resource."""
    source_id = with_source(store)
    key = store.run(workspaces.load).sources[0].write_keys[0]
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    again: tuple[Change, ...] = (
        lambda connection: workspaces.create_workspace(connection, slug="b", name="B"),
        lambda connection: workspaces.create_source(connection, slug="web", name="Web"),
        lambda connection: workspaces.create_source(connection, slug="x", name="X", write_key=key),
        lambda connection: workspaces.create_write_key(connection, other, key),
        lambda connection: workspaces.update_source(connection, other, slug="web"),
    )
    gone: tuple[Change, ...] = (
        lambda connection: workspaces.find_source(connection, "none"),
        lambda connection: workspaces.update_source(connection, "none", name="X"),
        lambda connection: workspaces.delete_source(connection, "none"),
        lambda connection: workspaces.remove_write_key(connection, other, key),
        lambda connection: workspaces.create_destination(connection, source_id="none", definition="d", name="D"),
        lambda connection: workspaces.update_destination(connection, "none", name="X"),
        lambda connection: workspaces.delete_warehouse(connection, "none"),
        lambda connection: workspaces.connect_warehouse(connection, "none", source_id, connected=True),
        lambda connection: tokens.delete_token(connection, "none"),
    )
    assert [refused(store, change) for change in again] == [409] * len(again)
    assert [refused(store, change) for change in gone] == [404] * len(gone)


@_promise
def a_source_takes_its_keys_and_destinations_with_it(store: Store) -> None:
    """And warehouses no longer name it."""
    source_id = with_source(store)
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    for owner in (source_id, other):
        store.run(
            lambda connection, owner=owner: (
                workspaces.create_destination(connection, source_id=owner, definition="webhook", name="Hook").id
            )
        )
    lake = store.run(lambda connection: workspaces.create_warehouse(connection, engine="duckdb", name="Lake")).id
    store.run(lambda connection: workspaces.connect_warehouse(connection, lake, source_id, connected=False))
    store.run(lambda connection: workspaces.delete_source(connection, source_id))
    left = store.run(workspaces.load)
    assert [one.id for one in left.sources] == [other]
    assert [one.source_id for one in left.destinations] == [other]
    assert left.warehouses[0].without_source_ids == ()


@_promise
def a_source_takes_what_its_events_held_with_it(store: Store) -> None:
    """Counts of names and sampled events; those of other sources stay."""
    source_id = with_source(store)
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    for owner in (source_id, other):
        count = names.NameCount(owner, "track", "Bought", 1, 1, 1)
        sample = names.Sample(owner, "track", "Bought", 1, 1, {}, b"{}")
        store.run(lambda connection, count=count: names.add(connection, [count]))
        store.run(lambda connection, sample=sample: names.keep(connection, [sample]))
    store.run(lambda connection: workspaces.delete_source(connection, source_id))
    for owner, kept in ((source_id, False), (other, True)):
        key = (owner, "track", "Bought")
        assert (store.run(lambda connection, key=key: names.one(connection, key)) is not None) is kept
        assert (store.run(lambda connection, key=key: names.sample(connection, key)) is not None) is kept


@_promise
def changes_at_the_same_time_lose_nothing(store: Store) -> None:
    """A resource that is found in a transaction stays as it is until the transaction ends."""
    source_id = with_source(store)

    def add(number: int) -> None:
        def change(connection: Connection) -> None:
            before = workspaces.find_source(connection, source_id).settings
            workspaces.update_source(connection, source_id, settings={**before, str(number): number})

        store.run(change)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(add, range(THREADS * 4)))
    assert len(store.run(workspaces.load).sources[0].settings) == THREADS * 4
