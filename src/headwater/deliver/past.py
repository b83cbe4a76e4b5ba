"""The archive as replays ask for it. Whoever keeps the archive answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from headwater.spec.replay import PastPage, Wanted


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
