"""The streams of the log: what each holds, how it is keyed, and which are written together."""

from __future__ import annotations

from typing import Final

import msgspec


class Stream(msgspec.Struct, frozen=True):
    """A named sequence of records with one or more partitions.

    `volume` names the streams that can be appended to in one transaction, together with cursors: streams of the same
    volume and partition are written together.
    """

    name: str
    volume: str
    holds: str
    key: str


COLLECTED: Final = Stream(
    "collected",
    "collected",
    "one record a request (and partition): the body as it came, with spec.event.CollectedHeader",
    "source id and userId, else anonymousId",
)
PROCESSED: Final = Stream(
    "processed",
    "processed",
    "one record an event in its final form, with spec.event.ProcessedHeader",
    "profile id, else userId, else anonymousId",
)
OUTCOMES: Final = Stream(
    "outcomes",
    "processed",
    "one record a chunk of work: what became of its events (spec.outcome.OutcomeBatch)",
    "none: the partition of the chunk",
)

STREAMS: Final = {stream.name: stream for stream in (COLLECTED, PROCESSED, OUTCOMES)}
