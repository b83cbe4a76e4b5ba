"""The workspace's configuration: read as one snapshot, changed one resource at a time.

Every function that changes anything ends with `touch`, so that the snapshot's version moves and every role sees it.
What cannot be done raises SenderError: 404 for what is not there, 409 for what is there already.
"""

from __future__ import annotations

import secrets
import string
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from headwater.spec.computation import Computation
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.space import Space
from headwater.spec.typed import converter
from headwater.spec.workspace import (
    Destination,
    DestinationFilter,
    ProfilesWarehouse,
    Source,
    Subscription,
    Warehouse,
    Workspace,
)
from headwater.store.schema import (
    computations,
    destination_filters,
    destinations,
    event_names,
    event_samples,
    profiles_warehouses,
    sources,
    spaces,
    subscriptions,
    warehouses,
    workspaces,
    write_keys,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_LETTERS = string.ascii_letters + string.digits


def new_id() -> str:
    """A new opaque id: 22 letters and digits, 131 bits of chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(22))


def new_write_key() -> str:
    """A new write key: 32 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def now() -> int:
    """This instant, in milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000


def version(connection: Connection) -> int:
    """The configuration's version; -1 before the workspace is made."""
    found = connection.execute(sa.select(workspaces.c.version)).scalar()
    return -1 if found is None else int(found)


def touch(connection: Connection) -> None:
    """Move the configuration's version."""
    connection.execute(workspaces.update().values(version=workspaces.c.version + 1))


def load(connection: Connection) -> Workspace:
    """The whole configuration. Raises SetupError before the workspace is made."""
    row = connection.execute(sa.select(workspaces)).mappings().first()
    if row is None:
        raise SetupError("There is no workspace yet; `headwater serve` makes one on its first start.")
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in connection.execute(sa.select(write_keys).order_by(write_keys.c.created_at)).mappings():
        keys[key["source_id"]].append(key["write_key"])
    return Workspace(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        version=row["version"],
        locked=row["locked"],
        sources=tuple(_source(found, keys[found["id"]]) for found in _rows(connection, sources)),
        destinations=_destinations(connection),
        warehouses=tuple(_warehouse(found) for found in _rows(connection, warehouses)),
        spaces=tuple(_space(found) for found in _rows(connection, spaces)),
        profiles_warehouses=tuple(profiles_warehouse(found) for found in _rows(connection, profiles_warehouses)),
        computations=tuple(read_computation(found) for found in _rows(connection, computations)),
    )


def create_workspace(connection: Connection, *, slug: str, name: str) -> str:
    """Make the one workspace, with version 0, and return its id. Raises SenderError 409 when there is one."""
    if version(connection) >= 0:
        raise SenderError("There is a workspace already.", code="conflict", status=409)
    workspace_id = new_id()
    connection.execute(
        workspaces.insert().values(id=workspace_id, slug=slug, name=name, version=0, locked=False, created_at=now())
    )
    return workspace_id


def create_source(
    connection: Connection,
    *,
    slug: str,
    name: str,
    kind: str = "http-api",
    write_key: str | None = None,
    enabled: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Source:
    """Make a source with one write key, a new one unless it is given. Raises SenderError 409 for a slug in use."""
    source_id = new_id()
    _insert(
        connection,
        sources,
        f'The slug "{slug}" is used by another source.',
        id=source_id,
        slug=slug,
        name=name,
        kind=kind,
        enabled=enabled,
        settings=dict(settings or {}),
        labels=[],
        events_per_second=0,
        created_at=now(),
    )
    create_write_key(connection, source_id, write_key)
    return find_source(connection, source_id)


def find_source(connection: Connection, source_id: str) -> Source:
    """One source, held against changes by others until the transaction ends."""
    row = _find(connection, sources, source_id, "source")
    query = sa.select(write_keys.c.write_key).where(write_keys.c.source_id == source_id)
    return _source(row, list(connection.execute(query.order_by(write_keys.c.created_at)).scalars()))


def source_named(connection: Connection, name: str) -> Source:
    """One source by its id or its slug, held as by `find_source`. Raises SenderError 404."""
    known = connection.execute(sa.select(sources.c.id).where(sa.or_(sources.c.id == name, sources.c.slug == name)))
    ids = list(known.scalars())
    return find_source(connection, ids[0] if len(ids) == 1 else name)


def update_source(connection: Connection, source_id: str, **columns: Any) -> Source:
    """Change columns of a source and return it as it is then. Raises SenderError 404, or 409 for a slug in use."""
    _update(connection, sources, source_id, "source", columns)
    return find_source(connection, source_id)


def delete_source(connection: Connection, source_id: str) -> None:
    """Remove a source with its write keys, destinations and sampled events; warehouses and spaces no longer name it."""
    _delete(connection, sources, source_id, "source")
    for seen in (event_names, event_samples):
        connection.execute(seen.delete().where(seen.c.source_id == source_id))
    for row in _rows(connection, warehouses):
        lists = {name: [one for one in row[name] if one != source_id] for name in ("source_ids", "without_source_ids")}
        if any(lists[name] != row[name] for name in lists):
            connection.execute(warehouses.update().where(warehouses.c.id == row["id"]).values(**lists))
    for row in _rows(connection, spaces):
        if source_id in row["source_ids"]:
            left = [one for one in row["source_ids"] if one != source_id]
            connection.execute(spaces.update().where(spaces.c.id == row["id"]).values(source_ids=left))


def create_write_key(connection: Connection, source_id: str, write_key: str | None = None) -> str:
    """Give a source one more write key. Raises SenderError 409 when a source has it already."""
    key = write_key or new_write_key()
    newest = connection.execute(
        sa.select(sa.func.max(write_keys.c.created_at)).where(write_keys.c.source_id == source_id)
    ).scalar()
    at = max(now(), (newest or 0) + 1)
    _insert(
        connection,
        write_keys,
        "Another source has this write key.",
        write_key=key,
        source_id=source_id,
        created_at=at,
    )
    return key


def remove_write_key(connection: Connection, source_id: str, write_key: str) -> None:
    """Take a write key from a source. Raises SenderError 404 when the source does not have it."""
    gone = connection.execute(
        write_keys.delete().where(write_keys.c.source_id == source_id, write_keys.c.write_key == write_key)
    )
    if gone.rowcount == 0:
        raise _missing("write key")
    touch(connection)


def create_destination(
    connection: Connection,
    *,
    source_id: str,
    definition: str,
    name: str,
    enabled: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Destination:
    """Connect a destination to a source; secret settings are sealed by the caller. Raises SenderError 404."""
    find_source(connection, source_id)
    destination_id = new_id()
    _insert(
        connection,
        destinations,
        "The destination exists already.",
        id=destination_id,
        source_id=source_id,
        definition=definition,
        name=name,
        enabled=enabled,
        paused=False,
        settings=dict(settings or {}),
        created_at=now(),
    )
    return find_destination(connection, destination_id)


def find_destination(connection: Connection, destination_id: str) -> Destination:
    """One destination, held against changes by others until the transaction ends."""
    row = _find(connection, destinations, destination_id, "destination")
    return Destination(
        **row,
        subscriptions=tuple(read_subscription(one) for one in _rows(connection, subscriptions, destination_id)),
        filters=tuple(read_filter(one) for one in _rows(connection, destination_filters, destination_id)),
    )


def update_destination(connection: Connection, destination_id: str, **columns: Any) -> Destination:
    """Change columns of a destination and return it as it is then. Raises SenderError 404."""
    _update(connection, destinations, destination_id, "destination", columns)
    return find_destination(connection, destination_id)


def delete_destination(connection: Connection, destination_id: str) -> None:
    """Remove a destination. Raises SenderError 404."""
    _delete(connection, destinations, destination_id, "destination")


def create_warehouse(
    connection: Connection,
    *,
    engine: str,
    name: str,
    enabled: bool = True,
    settings: Mapping[str, Any] | None = None,
    all_sources: bool = True,
) -> Warehouse:
    """Make a warehouse; secret settings are sealed by the caller."""
    warehouse_id = new_id()
    _insert(
        connection,
        warehouses,
        "The warehouse exists already.",
        id=warehouse_id,
        engine=engine,
        name=name,
        enabled=enabled,
        settings=dict(settings or {}),
        all_sources=all_sources,
        source_ids=[],
        without_source_ids=[],
        created_at=now(),
    )
    return find_warehouse(connection, warehouse_id)


def find_warehouse(connection: Connection, warehouse_id: str) -> Warehouse:
    """One warehouse, held against changes by others until the transaction ends."""
    return _warehouse(_find(connection, warehouses, warehouse_id, "warehouse"))


def update_warehouse(connection: Connection, warehouse_id: str, **columns: Any) -> Warehouse:
    """Change columns of a warehouse and return it as it is then. Raises SenderError 404."""
    _update(connection, warehouses, warehouse_id, "warehouse", columns)
    return find_warehouse(connection, warehouse_id)


def delete_warehouse(connection: Connection, warehouse_id: str) -> None:
    """Remove a warehouse; its tables and the history of its loads stay. Raises SenderError 404."""
    _delete(connection, warehouses, warehouse_id, "warehouse")


def connect_warehouse(connection: Connection, warehouse_id: str, source_id: str, *, connected: bool) -> Warehouse:
    """Say whether a warehouse loads a source. Raises SenderError 404 when either is missing."""
    warehouse = find_warehouse(connection, warehouse_id)
    find_source(connection, source_id)
    named = [one for one in warehouse.source_ids if one != source_id]
    left_out = [one for one in warehouse.without_source_ids if one != source_id]
    if not connected:
        left_out.append(source_id)
    elif not warehouse.all_sources:
        named.append(source_id)
    return update_warehouse(connection, warehouse_id, source_ids=named, without_source_ids=left_out)


def create_space(
    connection: Connection, *, slug: str, name: str, all_sources: bool = True, rules: Mapping[str, Any] | None = None
) -> Space:
    """Make a space; `rules` are further columns, such as identifiers. Raises SenderError 409 for a slug in use."""
    plain = Space(id="spa_" + "".join(secrets.choice(_LETTERS) for _ in range(27)), slug=slug, name=name)
    space = msgspec.structs.replace(plain, all_sources=all_sources, created_at=now(), **(rules or {}))
    columns = {field: msgspec.to_builtins(getattr(space, field)) for field in space.__struct_fields__}
    _insert(connection, spaces, f'The slug "{slug}" is used by another space.', **columns)
    return find_space(connection, space.id)


def find_space(connection: Connection, space_id: str) -> Space:
    """One space, held against changes by others until the transaction ends. Raises SenderError 404."""
    return _space(_find(connection, spaces, space_id, "space"))


def update_space(connection: Connection, space_id: str, **columns: Any) -> Space:
    """Change columns of a space and return it as it is then. Raises SenderError 404, or 409 for a slug in use."""
    plain = {name: msgspec.to_builtins(value) for name, value in columns.items()}
    _update(connection, spaces, space_id, "space", plain)
    return find_space(connection, space_id)


def _source(row: Any, keys: list[str]) -> Source:
    return Source(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        kind=row["kind"],
        enabled=row["enabled"],
        write_keys=tuple(keys),
        settings=row["settings"],
        labels=tuple(row["labels"]),
        events_per_second=row["events_per_second"],
        created_at=row["created_at"],
    )


def _destinations(connection: Connection) -> tuple[Destination, ...]:
    theirs: defaultdict[str, list[Subscription]] = defaultdict(list)
    for row in _rows(connection, subscriptions):
        theirs[row["destination_id"]].append(read_subscription(row))
    kept: defaultdict[str, list[DestinationFilter]] = defaultdict(list)
    for row in _rows(connection, destination_filters):
        kept[row["destination_id"]].append(read_filter(row))
    return tuple(
        Destination(**row, subscriptions=tuple(theirs[row["id"]]), filters=tuple(kept[row["id"]]))
        for row in _rows(connection, destinations)
    )


def read_subscription(row: Any) -> Subscription:
    """A row of `subscriptions` as what it means."""
    return Subscription(**{name: row[name] for name in Subscription.__struct_fields__})


def read_filter(row: Any) -> DestinationFilter:
    """A row of `destination_filters` as what it means."""
    columns: dict[str, Any] = {name: row[name] for name in DestinationFilter.__struct_fields__}
    columns["actions"] = tuple(row["actions"])
    return DestinationFilter(**columns)


def _warehouse(row: Any) -> Warehouse:
    return Warehouse(
        id=row["id"],
        engine=row["engine"],
        name=row["name"],
        enabled=row["enabled"],
        settings=row["settings"],
        all_sources=row["all_sources"],
        source_ids=tuple(row["source_ids"]),
        without_source_ids=tuple(row["without_source_ids"]),
        created_at=row["created_at"],
    )


def profiles_warehouse(row: Any) -> ProfilesWarehouse:
    """A row of `profiles_warehouses` as what it means (`store/profiles_warehouses.py`)."""
    columns: dict[str, Any] = {**row, "without_tables": tuple(row["without_tables"])}
    return ProfilesWarehouse(**columns)


def _space(row: Any) -> Space:
    fields = {Space.__struct_encode_fields__[Space.__struct_fields__.index(name)]: row[name] for name in row}
    return _as_space(fields)


def read_computation(row: Any) -> Computation:
    """A row of the table as the words have it."""
    names = zip(Computation.__struct_fields__, Computation.__struct_encode_fields__, strict=True)
    return _as_computation({wire: row[name] for name, wire in names})


def _rows(connection: Connection, table: sa.Table, destination_id: str = "") -> list[Any]:
    query = sa.select(table).order_by(table.c.created_at, table.c.id)
    if destination_id:
        query = query.where(table.c.destination_id == destination_id)
    return list(connection.execute(query).mappings())


def _find(connection: Connection, table: sa.Table, key: str, noun: str) -> Any:
    row = connection.execute(sa.select(table).where(table.c.id == key).with_for_update()).mappings().first()
    if row is None:
        raise _missing(noun)
    return row


def _insert(connection: Connection, table: sa.Table, conflict: str, **columns: Any) -> None:
    try:
        connection.execute(table.insert().values(**columns))
    except IntegrityError as error:
        raise SenderError(conflict, code="conflict", status=409) from error
    touch(connection)


def _update(connection: Connection, table: sa.Table, key: str, noun: str, columns: dict[str, Any]) -> None:
    if not columns:
        return
    try:
        changed = connection.execute(table.update().where(table.c.id == key).values(**columns))
    except IntegrityError as error:
        raise SenderError(f"Another {noun} has this slug.", code="conflict", status=409, field="slug") from error
    if changed.rowcount == 0:
        raise _missing(noun)
    touch(connection)


def _delete(connection: Connection, table: sa.Table, key: str, noun: str) -> None:
    if connection.execute(table.delete().where(table.c.id == key)).rowcount == 0:
        raise _missing(noun)
    touch(connection)


def _missing(noun: str) -> SenderError:
    return SenderError(f"There is no such {noun}.", code="not_found", status=404)


_as_space, _as_computation = converter(Space), converter(Computation)
