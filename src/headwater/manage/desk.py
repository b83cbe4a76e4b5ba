"""What an operation works with: the ports of the house, and who asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec

from headwater.eventlog import EventLog
from headwater.spec.settings import Settings
from headwater.spec.workspace import Workspace
from headwater.store.database import Store
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a token's id, its name and its scopes."""

    token_id: str
    name: str
    scopes: tuple[str, ...]


NOBODY = Caller("", "", ())
"""The caller of a desk that nobody stands at yet."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports that operations use. `now` is the instant of the request, in milliseconds since 1970 (UTC).

    `stopping` is set when the role ends; what lasts (a stream) ends soon after. A change of the workspace is answered
    after `settle_seconds`, within which every role of this machine sees it.
    """

    store: Store
    log: EventLog
    snapshot: Snapshot
    secrets: Secrets
    settings: Settings
    folder: Path
    stopping: asyncio.Event
    caller: Caller = NOBODY
    now: int = 0
    settle_seconds: float = 0.0

    async def workspace(self) -> Workspace:
        """The configuration as it is now, including what another process changed a moment ago."""
        await self.snapshot.refresh()
        return self.snapshot.current
