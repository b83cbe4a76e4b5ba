"""The values that computations have for a profile, as it stands: what it is in, and since when. Pure.

What is left of a computation that was removed is a trait like any other (contract: profiles-governance 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headwater.profiles.computing.standing import Standing, absorb, decode
from headwater.profiles.known import NULL, Mark, Write
from headwater.spec.computation import Computation


class Worked(msgspec.Struct, frozen=True):
    """A value that was worked out for a profile, and when (ms). Without a computation, it was removed.

    `id` is that of the computation, whether it is there or not.
    """

    key: str
    value: Any
    at: int
    computation: Computation | None
    id: str = ""


def read_values(computations: Iterable[Computation], canonical_id: str, standings: Mapping[str, bytes]) -> list[Worked]:
    """The values of a canonical profile by their keys, by how it stands and those that merges made one with it.

    Until a merge is settled, what stood for the profiles that it made one is looked at together.
    """
    read = {id: decode(told) for id, told in standings.items()}
    own = read.pop(canonical_id, None)
    whole = own if own is not None else absorb(Standing(), list(read.values()))[0]
    known = {one.id: one for one in computations}
    found = [
        Worked(held.key, held.value, held.at, known.get(id), id)
        for id, held in whole.values.items()
        if held.value is not None and held.changes > 0
    ]
    return sorted(_newest(found), key=lambda one: one.key)


def counts(one: Worked, written: Write | None) -> bool:
    """Does a value stand before a trait that was written under its key? One that is left gives way to a later one."""
    return one.computation is not None or written is None or written.value == NULL or written.mark.at <= one.at


def as_write(one: Worked) -> Write:
    """A value as a trait that was written. No event wrote it, so that its mark names none."""
    return Write(Mark(one.at, one.at, 0, "", ""), msgspec.json.encode(one.value))


def _newest(found: list[Worked]) -> list[Worked]:
    """One value of each key: that of what exists, else the one that changed last."""
    by_key: dict[str, Worked] = {}
    for one in sorted(found, key=lambda one: (one.computation is not None, one.at)):
        by_key[one.key] = one
    return list(by_key.values())
