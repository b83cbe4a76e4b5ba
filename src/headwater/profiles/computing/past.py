"""What the archive counts of events that came before a computation did. Whoever keeps the archive does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from headwater.spec.computation import Level

Counted = tuple[str, bytes]
"""A profile, as it was when its events came, and what was counted of it: a msgpack map of `Wanted.name` to states."""


class Wanted(msgspec.Struct, frozen=True):
    """A query to count for. Events before `since_ms` do not count; 0 is without limit."""

    name: str
    query: str
    level: Level
    since_ms: int = 0


class Past(Protocol):
    """The archive, to whoever computes."""

    async def reaches(self, until: Mapping[int, int]) -> bool:
        """Is everything before these positions, by partition, in the archive?"""
        ...

    async def count(
        self,
        job: str,
        space_id: str,
        wanted: Sequence[Wanted],
        until: Mapping[int, int],
        *,
        progress: Callable[[int, int], None],
    ) -> None:
        """Count the events before these positions, in a process of its own, and keep the answer under the job's name.

        The same job gives the same answer, and one that is done already is not done again. `progress` hears how many
        events of how many are read. Raises Unavailable when the archive cannot be read.
        """
        ...

    def counted(self, job: str, after: str) -> AsyncIterator[list[Counted]]:
        """The answer of a job that is done, from the profile after `after` on, in the order of profiles, in pages."""
        ...

    async def forget(self, job: str) -> None:
        """The answer is not needed any more."""
        ...
