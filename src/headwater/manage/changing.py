"""Changing the workspace: one transaction that changes and writes the audit trail, and a snapshot that knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from headwater.manage.desk import Desk
from headwater.store import audit

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")


async def change(desk: Desk, work: Callable[[Connection], tuple[T, Sequence[audit.Entry]]]) -> T:
    """Run `work`, which returns its answer and what the trail should say, in one transaction.

    Nothing is changed when it raises. The next reader of the desk's workspace sees the change, and when this returns
    every role of the machine had the time to see it: who connects a destination and then sends an event finds it there.
    """

    def run(connection: Connection) -> T:
        answer, entries = work(connection)
        for entry in entries:
            audit.add(connection, entry)
        return answer

    answer = await desk.store.write(run)
    before = desk.snapshot.current
    await desk.snapshot.refresh()
    if desk.snapshot.current is not before:
        await asyncio.sleep(desk.settle_seconds)
    return answer


def note(desk: Desk, type: str, kind: str, key: str, name: str) -> audit.Entry:
    """A line for the trail: the caller did something of this type (profiles-governance 7.5) to a resource."""
    return audit.Entry(
        at=desk.now,
        type=type,
        actor=desk.caller.actor,
        resource_type=kind,
        resource_id=key,
        resource_name=name,
    )
