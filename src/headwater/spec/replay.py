"""What a replay wants of the archive, and what it gets (contract: connections 9.13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

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
