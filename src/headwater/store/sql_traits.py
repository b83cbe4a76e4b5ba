"""SQL traits as they are set up, and what came of their last runs. They are no part of the workspace's snapshot."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.spec.sql_trait import SQL_TRAITS, SqlRun, SqlTrait
from headwater.spec.typed import converter
from headwater.spec.workspace import Source
from headwater.store import workspace as workspaces
from headwater.store.own_sources import own_source
from headwater.store.schema import sql_traits

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_LETTERS = string.ascii_letters + string.digits


def create(connection: Connection, trait: SqlTrait) -> SqlTrait:
    """Keep a new SQL trait, whose id and moments are given here; it is due at once."""
    at = workspaces.now()
    new_id = "sql_" + "".join(secrets.choice(_LETTERS) for _ in range(27))
    made = msgspec.structs.replace(trait, id=new_id, due_at=at, created_at=at, updated_at=at)
    source_of(connection, made.space_id)
    connection.execute(sql_traits.insert().values(**_columns(made)))
    return made


def find(connection: Connection, trait_id: str) -> SqlTrait:
    """One SQL trait, held against changes by others until the transaction ends. Raises SenderError 404."""
    query = sa.select(sql_traits).where(sql_traits.c.id == trait_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise SenderError("There is no such SQL trait.", code="not_found", status=404)
    return _read(row)


def of_space(connection: Connection, space_id: str) -> list[SqlTrait]:
    """The SQL traits of a space, oldest first."""
    query = sa.select(sql_traits).where(sql_traits.c.space_id == space_id)
    rows = connection.execute(query.order_by(sql_traits.c.created_at, sql_traits.c.id)).mappings()
    return [_read(row) for row in rows]


def update(connection: Connection, trait_id: str, **columns: Any) -> SqlTrait:
    """Change an SQL trait and return it as it is then. Raises SenderError 404."""
    after = msgspec.structs.replace(find(connection, trait_id), **columns, updated_at=workspaces.now())
    connection.execute(sql_traits.update().where(sql_traits.c.id == trait_id).values(**_columns(after)))
    return after


def delete(connection: Connection, trait_id: str) -> None:
    """Remove an SQL trait; the values that it gave stay with the profiles. Raises SenderError 404."""
    if connection.execute(sql_traits.delete().where(sql_traits.c.id == trait_id)).rowcount == 0:
        raise SenderError("There is no such SQL trait.", code="not_found", status=404)


def due(connection: Connection, now: int) -> SqlTrait | None:
    """The SQL trait to run now: of those that are due, the one that waits longest."""
    query = sa.select(sql_traits).where(sql_traits.c.enabled, sql_traits.c.due_at <= now)
    row = connection.execute(query.order_by(sql_traits.c.due_at, sql_traits.c.id).limit(1)).mappings().first()
    return None if row is None else _read(row)


def stands(connection: Connection, trait: SqlTrait) -> bool:
    """Is it still there, enabled, and the same query?"""
    query = sa.select(sql_traits.c.enabled, sql_traits.c.sql).where(sql_traits.c.id == trait.id)
    return connection.execute(query).first() == (True, trait.sql)


def ids(connection: Connection) -> set[str]:
    """The ids of all SQL traits."""
    return set(connection.execute(sa.select(sql_traits.c.id)).scalars())


def ended(connection: Connection, trait: SqlTrait, run: SqlRun, *, due_at: int) -> None:
    """Keep what came of a run that `trait` was due for, and when the next one is due.

    Who asked for another run in the meantime gets it.
    """
    of_it = sql_traits.c.id == trait.id
    connection.execute(sql_traits.update().where(of_it).values(last_run=msgspec.to_builtins(run)))
    connection.execute(
        sql_traits.update().where(of_it, sql_traits.c.due_at == trait.due_at).values(due_at=due_at),
    )


def source_of(connection: Connection, space_id: str) -> Source:
    """The source by which a space is told of its SQL traits; made when it is first asked for."""
    return own_source(connection, space_id, kind=SQL_TRAITS, slug="sql_traits", name="SQL traits")


def _columns(trait: SqlTrait) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(trait, name)) for name in trait.__struct_fields__}


def _read(row: Any) -> SqlTrait:
    names = zip(SqlTrait.__struct_fields__, SqlTrait.__struct_encode_fields__, strict=True)
    return _as_trait({wire: row[name] for name, wire in names})


_as_trait = converter(SqlTrait)
