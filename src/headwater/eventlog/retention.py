"""Where streams and groups stand in a log that keeps its own files, and what may be forgotten. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Head(msgspec.Struct, frozen=True):
    """Where a stream stands: the position of the next record, and when the last was appended (milliseconds)."""

    position: int
    at: int


class Span(msgspec.Struct, frozen=True):
    """What a segment holds of a stream: from `base` on, up to `end`, which is None while the segment is active."""

    base: Head
    end: Head | None


class Place(msgspec.Struct, frozen=True):
    """Where a group stands in a stream of one partition: it has dealt with everything before `position`."""

    group: str
    stream: str
    position: int


def may_go(spans: dict[str, Span], places: Sequence[Place], before: int) -> bool:
    """Whether a segment is sealed, was filled before an instant (milliseconds), and has been passed by everybody."""
    return all(_stream_may_go(name, span, places, before) for name, span in spans.items())


def _stream_may_go(name: str, span: Span, places: Sequence[Place], before: int) -> bool:
    if span.end is None:
        return False
    if span.end.position == span.base.position:
        return True
    return span.end.at < before and span.end.position <= passed_by_all(name, span.end.position, places)


def passed_by_all(stream: str, end: int, places: Sequence[Place]) -> int:
    """The position, `end` at most, before which every known group has dealt with a stream's records.

    A stream that no group has read is not passed while any group is known: its reader may only be late.
    """
    standing = [place.position for place in places if place.stream == stream]
    return min([end, *standing]) if standing or not places else 0
