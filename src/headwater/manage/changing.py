"""Changing the workspace: one transaction that changes and writes the audit trail, and a snapshot that knows of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from headwater.manage.desk import Desk
from headwater.store import audit

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")


async def change(desk: Desk, work: Callable[[Connection], tuple[T, Sequence[audit.Entry]]]) -> T:
    """Run `work`, which returns its answer and what the trail should say, in one transaction.

    Nothing is changed when it raises. The next reader of the desk's workspace sees the change.
    """

    def run(connection: Connection) -> T:
        answer, entries = work(connection)
        for entry in entries:
            audit.add(connection, entry)
        return answer

    answer = await desk.store.write(run)
    await desk.snapshot.refresh()
    return answer


def note(desk: Desk, type: str, kind: str, key: str, name: str) -> audit.Entry:
    """A line for the trail: the caller did something of this type (profiles-governance 7.5) to a resource."""
    return audit.Entry(
        at=desk.now,
        type=type,
        actor=desk.caller.token_id,
        resource_type=kind,
        resource_id=key,
        resource_name=name,
    )
