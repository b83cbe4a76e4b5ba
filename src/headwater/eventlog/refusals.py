"""What every backend refuses, checked before anything is written. A refusal is the caller's bug: ValueError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater.eventlog import FORGOTTEN, Append, Commit
from headwater.eventlog.streams import PROCESSED

CURSORS_VOLUME: Final = PROCESSED.volume
"""The volume that the cursors of every stream are written with, so that work and the cursor behind it are one write."""


def check_partition(partition: int, partitions: range) -> None:
    """Refuse a partition that the log does not have."""
    if partition not in partitions:
        raise ValueError(f"The log has partitions 0 to {partitions.stop - 1}, not {partition}.")


def volume_of(appends: Sequence[Append], commits: Sequence[Commit]) -> str:
    """The one volume that a transaction writes to. Refuses a mixture, and a cursor that is not a position."""
    volumes = {append.stream.volume for append in appends}
    if commits:
        volumes.add(CURSORS_VOLUME)
    if len(volumes) > 1:
        raise ValueError(f"One transaction cannot write to the volumes {', '.join(sorted(volumes))}.")
    for commit in commits:
        if commit.position < 0 and commit.position != FORGOTTEN:
            raise ValueError(f"A cursor cannot stand at {commit.position}.")
    return volumes.pop() if volumes else CURSORS_VOLUME
