"""The identity graphs as the pipeline reads and writes them: in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater import telemetry
from headwater.spec.graph import Changes, Known
from headwater.store import graph

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.spec.space import Space
    from headwater.store import Store


class StoredGraph:
    """One space's graph, for reading. Both verbs block, and raise Unavailable when the store is away."""

    def __init__(self, store: Store, space: Space) -> None:
        self._store = store
        self._space = space

    def owners(self, identifiers: Sequence[str]) -> dict[str, str]:
        return self._store.run(lambda connection: graph.owners(connection, self._space.id, identifiers), write=False)

    def profiles(self, ids: Sequence[str]) -> list[Known]:
        apart = self._space.rewired > 0
        return self._store.run(lambda connection: graph.known(connection, ids, apart=apart), write=False)


async def write(store: Store, changed: Sequence[tuple[str, Changes]]) -> bool:
    """Write a chunk's changes in one transaction, and count them.

    False means that they are based on what is no longer so: nothing was written, and the chunk must be resolved again.
    """

    def change(connection: Connection) -> int:
        return sum(graph.write(connection, space_id, changes) for space_id, changes in changed)

    try:
        violations = await store.write(change, awaited=True)
    except graph.Contested:
        return False
    for _, changes in changed:
        telemetry.PIPELINE_IDENTITY.labels("profile").inc(len(changes.profiles))
        telemetry.PIPELINE_IDENTITY.labels("identifier").inc(len(changes.links))
        telemetry.PIPELINE_IDENTITY.labels("merge").inc(len(changes.merges))
    telemetry.PIPELINE_IDENTITY.labels("violation").inc(violations)
    return True
