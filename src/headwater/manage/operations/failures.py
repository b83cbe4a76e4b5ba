"""Events that were set aside, with their payloads and the reason. Headwater's own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from contextlib import aclosing
from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.eventlog import EventLog
from headwater.eventlog.streams import OUTCOMES
from headwater.manage.answers import Shape
from headwater.manage.backwards import backwards
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page
from headwater.manage.problems import invalid
from headwater.spec.outcome import REASONS, SetAside, Step
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import JSON

_SCAN = 20_000


class FailuresPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page is wanted."""

    count: Annotated[int, Meta(ge=1, le=200, description="Entries a page holds at most.")] = 50
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class ListFailures(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which failures; what is absent does not matter."""

    source_id: Annotated[str | None, Meta(description="Only events of this source.")] = None
    destination_id: Annotated[str | None, Meta(description="Only failures at this destination.")] = None
    step: Annotated[str | None, Meta(description="Only this step, such as failed_on_ingest.")] = None
    reason: Annotated[str | None, Meta(description="Only this reason.")] = None
    message_id: Annotated[str | None, Meta(description="Only this event.")] = None
    pagination: Annotated[FailuresPage, Meta(description="Which page.")] = FailuresPage()


class Failure(Shape, frozen=True, kw_only=True):
    """One event that was set aside. `payload` is JSON where it can be read, and text otherwise.

    `position` is where its request (of the pipeline) or the event (of deliver) stands in the log's `partition`.
    """

    at: str
    room: str
    step: str
    reason: str
    meaning: str
    detail: str
    source_id: str
    destination_id: str
    message_id: str
    partition: int
    position: int
    payload: JSON


class ListFailuresAnswer(Shape, frozen=True, kw_only=True):
    """Failures, newest first."""

    failures: list[Failure]
    pagination: Page


class _Batch(msgspec.Struct, frozen=True):
    room: str
    partition: int
    at: int
    set_aside: list[SetAside] = []


class _Found(msgspec.Struct, frozen=True):
    lane: int
    place: int
    index: int
    batch: _Batch
    event: SetAside


_decode = msgspec.msgpack.Decoder(_Batch).decode
_Cursor = dict[int, tuple[int, int]]
"""For each partition: failures before this entry of the record at this position are still to be shown."""


@operation("GET", "/headwater/failures", scope="events:read", tag="Events")
async def list_failures(desk: Desk, request: ListFailures) -> ListFailuresAnswer:
    """List events that failed, with their payloads, newest first."""
    cursor = _read_cursor(request.pagination.cursor)
    count = request.pagination.count
    found: list[_Found] = []
    after: _Cursor = {}
    for partition in desk.log.partitions(OUTCOMES):
        some, place = await _scan(desk.log, partition, request, cursor.get(partition))
        found += some
        after[partition] = place
    found.sort(key=lambda one: (one.batch.at, one.place, one.index), reverse=True)
    shown = found[:count]
    for one in reversed(found[count:]):
        after[one.lane] = (one.place, one.index + 1)
    more = any(place != (0, 0) for place in after.values())
    page = Page(current=request.pagination.cursor or "", next=_write_cursor(after) if more else None)
    return ListFailuresAnswer(failures=[_show(one) for one in shown], pagination=page)


async def _scan(
    log: EventLog, partition: int, request: ListFailures, start: tuple[int, int] | None
) -> tuple[list[_Found], tuple[int, int]]:
    """Failures of one partition, at most a page, and where to go on; (0, 0) when there is no more."""
    found: list[_Found] = []
    scanned = 0
    last = (0, 0)
    async with aclosing(backwards(log, OUTCOMES, partition, None if start is None else start[0] + 1)) as records:
        async for place, record in records:
            batch = _decode(record.value)
            until = start[1] if start is not None and place == start[0] else len(batch.set_aside)
            for index in range(until - 1, -1, -1):
                if len(found) == request.pagination.count:
                    return found, (place, index + 1)
                if _is_wanted(batch.set_aside[index], request):
                    found.append(_Found(partition, place, index, batch, batch.set_aside[index]))
            scanned += 1
            last = (place, 0)
            if scanned >= _SCAN:
                return found, last
    return found, (0, 0)


def _is_wanted(event: SetAside, request: ListFailures) -> bool:
    asked: Iterable[tuple[str | None, str]] = (
        (request.source_id, event.source_id),
        (request.destination_id, event.destination_id),
        (request.step, event.step),
        (request.reason, event.reason),
        (request.message_id, event.message_id),
    )
    return all(wanted is None or wanted == value for wanted, value in asked)


def _show(one: _Found) -> Failure:
    event = one.event
    return Failure(
        at=format_moment(one.batch.at),
        room=one.batch.room,
        step=event.step,
        reason=event.reason,
        meaning=meaning(event.step, event.reason),
        detail=event.detail,
        source_id=event.source_id,
        destination_id=event.destination_id,
        message_id=event.message_id,
        partition=one.batch.partition,
        position=event.position,
        payload=payload(event.payload),
    )


def meaning(step: str, reason: str) -> str:
    """What a reason means, in a sentence; empty for one that is not in the list."""
    try:
        return REASONS.get(Step(step), {}).get(reason, "")
    except ValueError:
        return ""


def payload(body: bytes) -> JSON:
    """What was received, as JSON where it can be read and as text otherwise."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def _write_cursor(cursor: _Cursor) -> str:
    return base64.b64encode(msgspec.json.encode([[lane, *place] for lane, place in cursor.items()])).decode()


def _read_cursor(text: str | None) -> _Cursor:
    if not text:
        return {}
    try:
        places = msgspec.json.decode(base64.b64decode(text, validate=True), type=list[tuple[int, int, int]])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise invalid("pagination.cursor", '"pagination.cursor" is not a cursor of this list') from None
    return {lane: (place, index) for lane, place, index in places}
