"""Audiences and computed traits as they are set up, and how far each has come."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from headwater.spec.computation import ENGAGE, PREFIXES, Computation, Kind, Run
from headwater.spec.errors import SenderError
from headwater.spec.workspace import Source
from headwater.store import workspace as workspaces
from headwater.store.own_sources import own_source
from headwater.store.schema import computations, moves, runs, sizes

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Run).decode


def new_id(kind: Kind) -> str:
    """A new id of a computation."""
    return PREFIXES[kind] + "".join(secrets.choice(_LETTERS) for _ in range(27))


def create(connection: Connection, computation: Computation) -> Computation:
    """Keep a new computation, whose id and moments are given here. Raises SenderError 409 for a key in use."""
    at = workspaces.now()
    made = msgspec.structs.replace(computation, id=new_id(computation.kind), created_at=at, updated_at=at)
    values = {name: msgspec.to_builtins(getattr(made, name)) for name in made.__struct_fields__}
    try:
        connection.execute(computations.insert().values(**values))
    except IntegrityError as error:
        message = f'The key "{made.key}" is used by another audience or computed trait of the space.'
        raise SenderError(message, code="conflict", status=409) from error
    workspaces.touch(connection)
    return made


def find(connection: Connection, computation_id: str) -> Computation:
    """One computation, held against changes by others until the transaction ends. Raises SenderError 404."""
    query = sa.select(computations).where(computations.c.id == computation_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise SenderError("There is no such audience or computed trait.", code="not_found", status=404)
    return workspaces.read_computation(row)


def update(connection: Connection, computation_id: str, **columns: Any) -> Computation:
    """Change a computation and return it as it is then.

    Its version grows with another definition, and when it is enabled again.
    """
    before = find(connection, computation_id)
    after = msgspec.structs.replace(before, **columns, updated_at=workspaces.now())
    definition = ("query", "level", "history", "history_days", "known_by")
    again = after.enabled and not before.enabled  # nothing was counted meanwhile
    if again or any(getattr(before, name) != getattr(after, name) for name in definition):
        after = msgspec.structs.replace(after, version=before.version + 1)
    values = {name: msgspec.to_builtins(getattr(after, name)) for name in after.__struct_fields__}
    connection.execute(computations.update().where(computations.c.id == computation_id).values(**values))
    workspaces.touch(connection)
    return after


def delete(connection: Connection, computation_id: str) -> None:
    """Remove a computation; the values that profiles have of it stay with them. Raises SenderError 404."""
    find(connection, computation_id)
    connection.execute(computations.delete().where(computations.c.id == computation_id))
    for table in (runs, moves, sizes):
        connection.execute(table.delete().where(table.c.computation_id == computation_id))
    workspaces.touch(connection)


def engage_source(connection: Connection, space_id: str) -> Source:
    """The source whose events are what changes in the space; made when it is first asked for (3.10)."""
    return own_source(connection, space_id, kind=ENGAGE, slug="engage", name="Engage")


def read_runs(connection: Connection, ids: Iterable[str] | None = None) -> dict[str, Run]:
    """How far computations have come, by their ids; those that were never begun are left out."""
    query = sa.select(runs.c.computation_id, runs.c.run)
    if ids is not None:
        query = query.where(runs.c.computation_id.in_(list(ids)))
    return {row[0]: _decode(row[1]) for row in connection.execute(query)}


def write_runs(connection: Connection, changed: Iterable[Run]) -> None:
    """Keep how far computations have come."""
    rows = [
        {"computation_id": run.computation_id, "version": run.version, "run": _encode(run)}
        for run in sorted(changed, key=lambda run: run.computation_id)
    ]
    if rows:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(runs)
        values = {"version": insert.excluded.version, "run": insert.excluded.run}
        connection.execute(insert.on_conflict_do_update(index_elements=("computation_id",), set_=values), rows)
