"""Creating, changing and removing audiences and computed traits: the same for both kinds, each in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headwater.manage.changing import change, note
from headwater.manage.defining import WORDS, find_computation, refuse_cycle, refuse_enabled, refuse_locked
from headwater.manage.desk import Desk
from headwater.manage.problems import missing
from headwater.profiles.language import Query
from headwater.spec.computation import Computation, Kind, Run
from headwater.spec.space import Space
from headwater.store import audit
from headwater.store import computations as kept
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

RESOURCE: dict[Kind, str] = {"audience": "AUDIENCE", "trait": "COMPUTED_TRAIT"}
"""What the audit trail calls the resources."""

_NOUNS: dict[Kind, str] = {"audience": "audience", "trait": "computed trait"}


async def with_run(desk: Desk, space: Space, id: str, kind: Kind | None = None) -> tuple[Computation, Run | None]:
    """A computation and how far it has come. Raises SenderError 404."""
    found = find_computation(await desk.workspace(), space, id, kind)
    return found, (await runs_of(desk, [found])).get(found.id)


async def runs_of(desk: Desk, computations: list[Computation]) -> dict[str, Run]:
    """How far computations have come, by id."""
    ids = [one.id for one in computations]
    return await desk.store.read(lambda connection: kept.read_runs(connection, ids)) if ids else {}


async def create(desk: Desk, wanted: Computation, query: Query) -> Computation:
    """Keep a new computation; what changes in a space has a source from its first on (3.10).

    Raises SenderError 409 for a key in use, Refused for a cycle.
    """

    def work(connection: Connection) -> tuple[Computation, list[audit.Entry]]:
        refuse_cycle(workspaces.load(connection).computations, wanted.space_id, wanted.key, query)
        made = kept.create(connection, wanted)
        kept.engage_source(connection, made.space_id)
        return made, [told(desk, made, "Created")]

    return await change(desk, work)


async def edit(
    desk: Desk, space: Space, id: str, kind: Kind, *, columns: Mapping[str, Any], query: Query | None
) -> tuple[Computation, Run | None]:
    """Change a computation. `query` is what `columns` has as text. Raises SenderError 409 while it is processed.

    Switching it off is always possible.
    """

    def work(connection: Connection) -> tuple[tuple[Computation, Run | None], list[audit.Entry]]:
        before = hold(connection, space, id, kind)
        run = kept.read_runs(connection, [id]).get(id)
        changed = {name: value for name, value in columns.items() if value != getattr(before, name)}
        if not changed:
            return (before, run), []
        if changed != {"enabled": False}:
            refuse_locked(before, run, noun=_NOUNS[kind])
        if query is not None:
            refuse_cycle(workspaces.load(connection).computations, space.id, before.key, query)
        after = kept.update(connection, id, **changed, updated_by=desk.caller.actor)
        return (after, run), [told(desk, after, "Modified")]

    return await change(desk, work)


async def remove(desk: Desk, space: Space, id: str, kind: Kind) -> None:
    """Remove a computation that is disabled; profiles keep the values that they have (3.1)."""

    def work(connection: Connection) -> tuple[None, list[audit.Entry]]:
        gone = hold(connection, space, id, kind)
        refuse_enabled(gone, noun=_NOUNS[kind])
        kept.delete(connection, id)
        return None, [told(desk, gone, "Deleted")]

    await change(desk, work)


def hold(connection: Connection, space: Space, id: str, kind: Kind | None = None) -> Computation:
    """One computation of a space, held until the transaction ends. Raises SenderError 404."""
    found = kept.find(connection, id)
    if found.space_id != space.id or kind not in (None, found.kind):
        raise missing("audience" if kind == "audience" else "computed trait")
    return found


def told(desk: Desk, computation: Computation, verb: str) -> audit.Entry:
    """A line for the trail, such as Audience Created (7.5)."""
    kind = computation.kind
    return note(desk, f"{WORDS[kind]} {verb}", RESOURCE[kind], computation.id, computation.name)
