"""What a replay wants of the archive, and how the archive is asked for it (contract: connections 9.13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from headwater.spec.destination import Item

State = Literal["waiting", "running", "paused", "ended", "cancelled", "failed"]

PER_SECOND: Final = 1_000
"""Events that a replay makes out a second, unless it says otherwise."""

MOST_PER_SECOND: Final = 100_000
MOST_DESTINATIONS: Final = 25


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of a source are meant: those received from `since_ms` on and before `until_ms`, in milliseconds.

    What is empty does not narrow. `names` are those of track calls, pages and screens; `user` is a user id, an
    anonymous id or a profile id; `condition` is a query in FQL.
    """

    source_id: str
    since_ms: int
    until_ms: int
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    user: str = ""
    condition: str = ""


class PastPage(msgspec.Struct, frozen=True):
    """Events of one partition in order of their positions. All before `next` have been looked at with this page."""

    partition: int
    next: int
    items: Sequence[Item]


class PastEvents(Protocol):
    """The archive, to whoever replays."""

    async def reaches(self, until: Mapping[int, int]) -> bool:
        """Is everything before these positions, by partition, in the archive?"""
        ...

    def pages(
        self, wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int] | None = None
    ) -> AsyncGenerator[PastPage]:
        """What there is from the positions of `place` on and before those of `until`, partition by partition.

        The last page of each partition says how far the archive reached when it was asked; it may hold nothing. Raises
        Unavailable when the archive cannot be read, now or any further; ask again from the last `next` on.
        """
        ...

    async def count(self, wanted: Wanted, until: Mapping[int, int]) -> int:
        """How many events there are before these positions. Raises Unavailable when the archive cannot be read."""
        ...
