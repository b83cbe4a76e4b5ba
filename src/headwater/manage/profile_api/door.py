"""Who asks, whether they may, and the profile that they ask for: read for many requests in one transaction.

Every request is held against the store as it is after the request came: a token that was taken back opens nothing, and
a profile is read as it is then. Nothing is remembered from one batch to the next but how often each space asked. A
profile is read only for who may read it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from headwater.manage.desk import Desk
from headwater.manage.profile_api.pace import Granted, Pace
from headwater.manage.profile_api.together import Together
from headwater.spec.space import Space
from headwater.store import lookups, space_tokens
from headwater.store.lookups import LookedUp
from headwater.store.space_tokens import SpaceToken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Knock(msgspec.Struct, frozen=True):
    """The text of a token, the space by its id or slug, and the profile whose traits are asked for, if any are."""

    token: str
    space: str
    profile: str | None = None


class Seen(msgspec.Struct):
    """Who knocked, as far as they are known. `granted` is None without a limit.

    `of_space` says whether the space that was named is the token's. `profile` is None for who may not go on too.
    """

    token: SpaceToken | None
    space: Space | None
    of_space: bool = False
    granted: Granted | None = None
    profile: LookedUp | None = None

    def asks_in(self) -> str:
        """The space in which they may ask; empty for none."""
        may = self.of_space and (self.granted is None or self.granted.granted)
        return self.space.id if may and self.space is not None else ""


class Door:
    """Admits requests to spaces."""

    def __init__(self, desk: Desk) -> None:
        """`desk` lends the store and the workspace."""
        self._desk = desk
        self._pace = Pace(desk.settings.profiles.requests_per_second)
        self._one_at_a_time = threading.Lock()
        self._knocks: Together[Knock, Seen] = Together(self._read)

    async def see(self, knock: Knock) -> Seen:
        """Who knocks. A space that was made a moment ago is sought once more."""
        seen = await self._knocks.ask(knock)
        if seen.token is not None and seen.space is None:
            await self._desk.workspace()
            seen = await self._knocks.ask(knock)
        return seen

    async def close(self) -> None:
        """Wait for those who are being seen to."""
        await self._knocks.close()

    async def _read(self, knocks: Sequence[Knock]) -> Sequence[Seen]:
        spaces = {space.id: space for space in self._desk.snapshot.current.spaces}
        return await self._desk.store.read(lambda connection: self._look(connection, spaces, knocks))

    def _look(self, connection: Connection, spaces: Mapping[str, Space], knocks: Sequence[Knock]) -> list[Seen]:
        tokens = space_tokens.find_all(connection, {knock.token for knock in knocks})
        found = [self._admit(knock, tokens.get(knock.token), spaces) for knock in knocks]
        wanted: defaultdict[str, list[tuple[str, Seen]]] = defaultdict(list)
        for knock, seen in zip(knocks, found, strict=True):
            if knock.profile is not None and (space_id := seen.asks_in()):
                wanted[space_id].append((knock.profile, seen))
        for space_id, asked in wanted.items():
            profiles = lookups.look_up(connection, space_id, [name for name, _ in asked])
            for name, seen in asked:
                seen.profile = profiles.get(name)
        return found

    def _admit(self, knock: Knock, token: SpaceToken | None, spaces: Mapping[str, Space]) -> Seen:
        space = None if token is None else spaces.get(token.space_id)
        if space is None or knock.space not in (space.id, space.slug):
            return Seen(token, space)
        with self._one_at_a_time:
            granted = self._pace.count(space.id, time.monotonic())
        return Seen(token, space, of_space=True, granted=granted)
