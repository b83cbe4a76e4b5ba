"""The workspace as a role sees it: an immutable snapshot, swapped whole when the version moves."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from headwater.spec.errors import Unavailable
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from headwater.spec.workspace import Workspace
    from headwater.store.database import Store

REFRESH_SECONDS = 0.3
"""How often a role looks whether the workspace changed."""


class Snapshot:
    """`current` is the newest workspace seen. One task keeps it fresh; readers compare versions or identity."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        self._store = store
        self.current = workspace

    @classmethod
    async def take(cls, store: Store) -> Snapshot:
        """Read the workspace once. Raises SetupError before it is made."""
        return cls(store, await store.read(workspaces.load))

    async def refresh(self) -> None:
        """Look once whether the version moved, and swap if so."""
        if await self._store.read(workspaces.version) != self.current.version:
            found = await self._store.read(workspaces.load)
            if found.version > self.current.version:  # of two who look at once, the one who read more comes last
                self.current = found

    async def keep_fresh(self, stopping: asyncio.Event, *, every: float = REFRESH_SECONDS) -> None:
        """Refresh every so many seconds until told to stop. A store that is away leaves the last snapshot in force."""
        while not stopping.is_set():
            with contextlib.suppress(Unavailable):
                await self.refresh()
            try:
                await asyncio.wait_for(stopping.wait(), every)
            except TimeoutError:
                continue
