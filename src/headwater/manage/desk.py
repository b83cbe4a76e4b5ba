"""What an operation works with: the ports of the house, and who asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from headwater.eventlog import EventLog
from headwater.manage.feeds import Feeds
from headwater.manage.following import indexes
from headwater.manage.foreseeing import Previews
from headwater.manage.passwords import Passwords
from headwater.manage.profile_api.events import Histories
from headwater.manage.throttle import Throttle
from headwater.manage.trials import Trials
from headwater.spec.settings import Settings
from headwater.spec.workspace import Workspace
from headwater.store.database import Store
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot
from headwater.store.tokens import Token


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the id of a token or session, its name and its scopes.

    `user_id` and `email` are of the user whose session it is; `parent_id` is of the token that it is a session of.
    """

    token_id: str
    name: str
    scopes: tuple[str, ...]
    user_id: str | None = None
    email: str | None = None
    parent_id: str | None = None
    expires_at: int | None = None

    @classmethod
    def of(cls, token: Token) -> Caller:
        """Whoever holds this token or session."""
        return cls(
            token.id, token.name, token.scopes, token.user_id, token.email, token.parent_id, expires_at=token.expires_at
        )

    @property
    def session(self) -> bool:
        """Do they ask in a session?"""
        return self.user_id is not None or self.parent_id is not None

    @property
    def actor(self) -> str:
        """Who is responsible: the id of the user, or of the token. Sessions come and go."""
        return self.user_id or self.parent_id or self.token_id

    @property
    def title(self) -> str:
        """Who they are, to begin a sentence with."""
        return f'The {"token" if self.user_id is None else "user"} "{self.name}"'


NOBODY = Caller("", "", ())
"""The caller of a desk that nobody stands at yet, and of operations that need no token."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports that operations use. `now` is the instant of the request, in milliseconds since 1970 (UTC).

    `histories` finds the events of profiles. `stopping` is set when the role ends; what lasts (a stream) ends soon
    after. A change of the workspace is answered after `settle_seconds`, so that every role of this machine sees it.
    Without `previews` none can be asked for; `trials` keeps open what trying destinations needs.
    """

    store: Store
    log: EventLog
    snapshot: Snapshot
    secrets: Secrets
    settings: Settings
    folder: Path
    histories: Histories
    stopping: asyncio.Event
    caller: Caller = NOBODY
    now: int = 0
    settle_seconds: float = 0.0
    passwords: Passwords = field(default_factory=Passwords)
    throttle: Throttle = field(default_factory=Throttle)
    feeds: Feeds = field(default_factory=Feeds)
    previews: Previews | None = None
    trials: Trials | None = None

    @property
    def indexes(self) -> Path:
        """The folder of the indexes of events."""
        return indexes(self.settings, self.folder)

    async def workspace(self) -> Workspace:
        """The configuration as it is now, including what another process changed a moment ago."""
        await self.snapshot.refresh()
        return self.snapshot.current
