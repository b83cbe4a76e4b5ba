"""SQL traits: queries that run on a schedule, whose rows become traits (profiles-governance 3.5). Headwater's own.

A query reads the events of every source, and its rows are told to whoever reads the space. So nobody sets one up, or
sees what it gives or why it failed, who may not run queries as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage import scopes
from headwater.manage.answers import Done, Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.query import among_few
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import invalid, missing
from headwater.spec.errors import SenderError
from headwater.spec.space import Space
from headwater.spec.sql_trait import DEFAULT_MINUTES, DISCARDS, KeyColumn, SqlRun, SqlTrait
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import JSON
from headwater.store import audit, sql_traits
from headwater.warehouse.pages import pages
from headwater.warehouse.sql_traits.sampling import Sample, sample

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "SQL_TRAIT"
_QUERY = "events:read"
SqlTraitId = Annotated[str, Meta(min_length=1, max_length=255, description="The SQL trait's id.")]
Sql = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100_000,
        description="One SELECT in DuckDB's SQL, over `events` or the tables of DuckDB warehouses: a row for each"
        " profile, with the key in one column and a trait in each other.",
    ),
]
Minutes = Annotated[int, Meta(ge=1, le=44_640, description="Time between two runs, in minutes.")]
Key = Annotated[KeyColumn, Meta(description="The column that names the profile; it must be there and cannot change.")]


class Discarded(Shape, frozen=True, kw_only=True):
    """Rows that were left out for a reason."""

    reason: str
    meaning: str
    rows: int


class SqlRunShape(Shape, frozen=True, kw_only=True):
    """What a run came to. `changed` rows were told; `vanished` ones were there before. `error` says why it failed."""

    started_at: str
    ended_at: str
    rows: int
    changed: int
    vanished: int
    discarded: list[Discarded]
    error: str


class SqlTraitShape(Shape, frozen=True, kw_only=True):
    """An SQL trait. `nextRunAt` is null while it is disabled, `lastRun` before it ever ran."""

    id: str
    space_id: str
    name: str
    sql: str
    key: str
    every_minutes: int
    enabled: bool
    next_run_at: str | None
    last_run: SqlRunShape | None
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str


class SqlTraitAnswer(Shape, frozen=True, kw_only=True):
    """An SQL trait."""

    sql_trait: SqlTraitShape


class ListSqlTraits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId


class ListSqlTraitsAnswer(Shape, frozen=True, kw_only=True):
    """The SQL traits of a space, oldest first."""

    sql_traits: list[SqlTraitShape]


class OneSqlTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An SQL trait of a space."""

    space_id: SpaceId
    sql_trait_id: SqlTraitId


class CreateSqlTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A new SQL trait."""

    space_id: SpaceId
    name: Name
    sql: Sql
    key: Key
    every_minutes: Minutes = DEFAULT_MINUTES
    enabled: Annotated[bool, Meta(description="Whether it runs by itself.")] = True


class UpdateSqlTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of an SQL trait; what is absent stays."""

    space_id: SpaceId
    sql_trait_id: SqlTraitId
    name: Name | UnsetType = UNSET
    sql: Sql | UnsetType = UNSET
    every_minutes: Minutes | UnsetType = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it runs by itself.")] = UNSET


class PreviewSqlTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query to try. Nothing is told and nothing is kept."""

    space_id: SpaceId
    sql: Sql
    key: Key
    count: Annotated[int, Meta(ge=1, le=100, description="Rows to look at, from the first on.")] = 20


class DiscardedRow(Shape, frozen=True, kw_only=True):
    """A row that would be left out; `row` counts from 0."""

    row: int
    reason: str
    meaning: str


class PreviewSqlTraitAnswer(Shape, frozen=True, kw_only=True):
    """The calls that the first rows would be told by, if they are new. `truncated`: there are more rows."""

    columns: list[str]
    rows: int
    calls: list[JSON]
    discarded: list[DiscardedRow]
    truncated: bool


@operation("GET", "/headwater/spaces/{spaceId}/sql-traits", scope="spaces:read", tag="SQL Traits")
async def list_sql_traits(desk: Desk, request: ListSqlTraits) -> ListSqlTraitsAnswer:
    """List the SQL traits of a space, and what came of their last runs."""
    space = find(await desk.workspace(), request.space_id)
    found = await desk.store.read(lambda connection: sql_traits.of_space(connection, space.id))
    return ListSqlTraitsAnswer(sql_traits=[_show(one, desk) for one in found])


@operation("GET", "/headwater/spaces/{spaceId}/sql-traits/{sqlTraitId}", scope="spaces:read", tag="SQL Traits")
async def get_sql_trait(desk: Desk, request: OneSqlTrait) -> SqlTraitAnswer:
    """Show an SQL trait, and what came of its last run."""
    space = find(await desk.workspace(), request.space_id)
    found = await desk.store.read(lambda connection: sql_traits.of_space(connection, space.id))
    trait = next((one for one in found if one.id == request.sql_trait_id), None)
    if trait is None:
        raise missing("SQL trait")
    return SqlTraitAnswer(sql_trait=_show(trait, desk))


@operation("POST", "/headwater/spaces/{spaceId}/sql-traits", scope="spaces:write", status=201, tag="SQL Traits")
async def create_sql_trait(desk: Desk, request: CreateSqlTrait) -> SqlTraitAnswer:
    """Make an SQL trait, whose query must run and give the right columns; it runs at once if it is enabled."""
    space = find(await desk.workspace(), request.space_id)
    _check_minutes(desk, request.every_minutes)
    await _sample(desk, space, request.sql, request.key)

    def work(connection: Connection) -> tuple[SqlTrait, list[audit.Entry]]:
        wanted = SqlTrait(
            id="",
            space_id=space.id,
            name=request.name,
            sql=request.sql,
            key=request.key,
            every_minutes=request.every_minutes,
            enabled=request.enabled,
            created_by=desk.caller.actor,
            updated_by=desk.caller.actor,
        )
        made = sql_traits.create(connection, wanted)
        return made, [note(desk, "SQL Trait Created", _KIND, made.id, made.name)]

    return SqlTraitAnswer(sql_trait=_show(await change(desk, work), desk))


@operation("PATCH", "/headwater/spaces/{spaceId}/sql-traits/{sqlTraitId}", scope="spaces:write", tag="SQL Traits")
async def update_sql_trait(desk: Desk, request: UpdateSqlTrait) -> SqlTraitAnswer:
    """Change an SQL trait; with another query it runs at once, and values of columns that are gone stay."""
    space = find(await desk.workspace(), request.space_id)
    columns: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("name", "sql", "every_minutes", "enabled")
        if getattr(request, name) is not UNSET
    }
    if "every_minutes" in columns:
        _check_minutes(desk, columns["every_minutes"])
    if "sql" in columns:
        before = await desk.store.read(lambda connection: _find(connection, space, request.sql_trait_id))
        await _sample(desk, space, columns["sql"], before.key)
        columns["due_at"] = desk.now

    def work(connection: Connection) -> tuple[SqlTrait, list[audit.Entry]]:
        before = _find(connection, space, request.sql_trait_id)
        if "every_minutes" in columns and "due_at" not in columns and before.last_run is not None:
            columns["due_at"] = before.last_run.started_at + columns["every_minutes"] * 60_000
        after = sql_traits.update(connection, before.id, **columns, updated_by=desk.caller.actor)
        return after, [note(desk, "SQL Trait Modified", _KIND, after.id, after.name)]

    return SqlTraitAnswer(sql_trait=_show(await change(desk, work), desk))


@operation("DELETE", "/headwater/spaces/{spaceId}/sql-traits/{sqlTraitId}", scope="spaces:write", tag="SQL Traits")
async def delete_sql_trait(desk: Desk, request: OneSqlTrait) -> Done:
    """Delete an SQL trait; profiles keep the values that it gave them."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        gone = _find(connection, space, request.sql_trait_id)
        sql_traits.delete(connection, gone.id)
        return Done(), [note(desk, "SQL Trait Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


@operation(
    "POST",
    "/headwater/spaces/{spaceId}/sql-traits/{sqlTraitId}/runs",
    scope="spaces:write",
    status=202,
    tag="SQL Traits",
)
async def create_sql_trait_run(desk: Desk, request: OneSqlTrait) -> SqlTraitAnswer:
    """Have an SQL trait run as soon as the one before it is done; it must be enabled."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[SqlTrait, list[audit.Entry]]:
        before = _find(connection, space, request.sql_trait_id)
        if not before.enabled:
            raise SenderError("A disabled SQL trait does not run; enable it.", code="conflict", status=409)
        after = sql_traits.update(connection, before.id, due_at=desk.now)
        return after, [note(desk, "SQL Trait Run", _KIND, after.id, after.name)]

    return SqlTraitAnswer(sql_trait=_show(await change(desk, work), desk))


@operation("POST", "/headwater/spaces/{spaceId}/sql-traits/preview", scope=_QUERY, tag="SQL Traits", changes=False)
async def preview_sql_trait(desk: Desk, request: PreviewSqlTrait) -> PreviewSqlTraitAnswer:
    """Show the calls that the first rows of a query would be told by, and which rows would be left out."""
    space = find(await desk.workspace(), request.space_id)
    found = await _sample(desk, space, request.sql, request.key, count=request.count)
    return PreviewSqlTraitAnswer(
        columns=found.columns,
        rows=found.rows,
        calls=found.calls,
        discarded=[DiscardedRow(row=row, reason=why, meaning=DISCARDS[why]) for row, why in found.discarded],
        truncated=found.truncated,
    )


async def _sample(desk: Desk, space: Space, sql: str, key: KeyColumn, *, count: int = 1) -> Sample:
    """The first rows of a query. Raises SenderError with what is wrong with it, or for who may not run it."""
    if not scopes.allows(desk.caller.scopes, _QUERY):
        raise SenderError(
            f"An SQL trait reads events; to set one up takes the scope {_QUERY}.", code="unauthorized", status=401
        )
    if key not in {kind.name for kind in space.identifiers}:
        raise invalid("key", f'"key" is no identifier type of the space: {key}')
    with among_few():
        found = pages(
            sql,
            folder=desk.folder,
            log=desk.log,
            settings=msgspec.structs.replace(desk.settings.warehouse, query_rows=count),
            warehouses=(await desk.workspace()).warehouses,
        )
        return await sample(SqlTrait(id="sql_preview", space_id=space.id, name="", sql=sql, key=key), found)


def _check_minutes(desk: Desk, minutes: int) -> None:
    least = desk.settings.warehouse.sql_trait_minutes
    if minutes < least:
        raise invalid("everyMinutes", f'"everyMinutes" must be {least} or more.')


def _find(connection: Connection, space: Space, trait_id: str) -> SqlTrait:
    found = sql_traits.find(connection, trait_id)
    if found.space_id != space.id:
        raise missing("SQL trait")
    return found


def _show(trait: SqlTrait, desk: Desk) -> SqlTraitShape:
    return SqlTraitShape(
        id=trait.id,
        space_id=trait.space_id,
        name=trait.name,
        sql=trait.sql,
        key=trait.key,
        every_minutes=trait.every_minutes,
        enabled=trait.enabled,
        next_run_at=format_moment(trait.due_at) if trait.enabled else None,
        last_run=None if trait.last_run is None else _show_run(trait.last_run, desk),
        created_at=format_moment(trait.created_at),
        updated_at=format_moment(trait.updated_at),
        created_by=trait.created_by,
        updated_by=trait.updated_by,
    )


def _show_run(run: SqlRun, desk: Desk) -> SqlRunShape:
    # What DuckDB says of a failure may quote what is in events.
    seeing = scopes.allows(desk.caller.scopes, _QUERY)
    return SqlRunShape(
        started_at=format_moment(run.started_at),
        ended_at=format_moment(run.ended_at),
        rows=run.rows,
        changed=run.changed,
        vanished=run.vanished,
        discarded=[
            Discarded(reason=reason, meaning=DISCARDS[reason], rows=run.discarded[reason])
            for reason in DISCARDS
            if reason in run.discarded
        ],
        error=run.error if seeing or not run.error else f"It failed; why is shown with the scope {_QUERY}.",
    )
