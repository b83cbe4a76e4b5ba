"""The pure heart: a chunk of requests in, records and the account of every event out.

Nothing here waits, reads a clock or touches a disk; what a chunk must be told from outside, which messageIds were seen
before and whose profiles its events belong to, comes in as functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from headwater.eventlog import Chunk, Record
from headwater.pipeline.normalise import Arrival, normalise
from headwater.pipeline.plan import Plan, SourcePlan
from headwater.pipeline.resolve import Resolve, nobody, partition_key
from headwater.pipeline.route import excluded_warehouses, route
from headwater.pipeline.unpack import Item, unpack
from headwater.pipeline.validate import validate
from headwater.spec.event import Event, ProcessedHeader, decode_collected, encode_header
from headwater.spec.naming import short_name
from headwater.spec.outcome import Count, Named, OutcomeBatch, SetAside, Step
from headwater.spec.wire import encode

Tally = Counter[tuple[str, str, Step, str]]
FindDuplicates = Callable[[Sequence[str], Sequence[int]], set[int]]
NAMES_PER_CHUNK = 1_000
SLICE = 64
"""Events taken through all stages at once: so few stay in the processor's caches, which makes a third of the speed."""


class Work(msgspec.Struct):
    """What a chunk led to. `records`, `message_ids` and `moments` are of the same events, in the same order."""

    records: list[Record]
    message_ids: list[str]
    moments: list[int]
    outcomes: OutcomeBatch


class Account(msgspec.Struct):
    """What is being written down while a chunk is worked on."""

    tally: Tally = msgspec.field(default_factory=Counter)
    set_aside: list[SetAside] = []
    published: list[tuple[str, str, str]] = []


def process(
    chunk: Chunk,
    plan: Plan,
    *,
    partition: int,
    now: int,
    find_duplicates: FindDuplicates,
    resolve: Resolve = nobody,
    place: int = 0,
) -> Work:
    """Everything that becomes of a chunk of `collected`. `now` is in milliseconds since 1970.

    `find_duplicates` is asked for a few events at a time, in their order, and remembers what it was asked. `resolve`
    sets the profiles of such events. `place` is where the first record will probably stand in `processed`.
    """
    account = Account()
    records: list[Record] = []
    message_ids: list[str] = []
    moments: list[int] = []
    for events in _slices(chunk, plan, partition, account):
        ids, received = [event.message_id for event in events], [event.received_at for event in events]
        if repeated := find_duplicates(ids, received):
            events = _without(events, repeated, account)
            ids, received = [event.message_id for event in events], [event.received_at for event in events]
        for event in events:
            for enrich in plan.enrichments:
                enrich(event)
        resolve(events)
        records += [_publish(event, plan.sources[event.source_id], account) for event in events]
        message_ids += ids
        moments += received
    names = name_counts(account.published, place)
    for name in names:
        account.tally[name.source_id, "", Step.PROCESSED, ""] += name.events
    minute = now // 60_000
    counts = [Count(key[0], key[1], minute, key[2], key[3], events) for key, events in account.tally.items()]
    outcomes = OutcomeBatch(
        "pipeline", partition, chunk.first, chunk.next - 1, now, counts, account.set_aside, names=names
    )
    return Work(records, message_ids, moments, outcomes)


def name_counts(published: Sequence[tuple[str, str, str]], place: int) -> list[Named]:
    """How many events of each source, type and name were published, in a row that begins at a place in `processed`.

    A chunk with more names than are told one by one has the others counted together by source and type.
    """
    counts = Counter(published)
    last = dict(zip(published, range(place, place + len(published)), strict=True))
    found: dict[tuple[str, str, str, bool], Named] = {}
    for (source_id, kind, name), events in counts.items():
        short = short_name(name)
        many = len(found) >= NAMES_PER_CHUNK and (source_id, kind, short, False) not in found
        key = (source_id, kind, "", True) if many else (source_id, kind, short, False)
        before = found[key].events if key in found else 0
        found[key] = Named(source_id, kind, key[2], before + events, last[source_id, kind, name], many)
    return list(found.values())


def _slices(chunk: Chunk, plan: Plan, partition: int, account: Account) -> Iterator[list[Event]]:
    """The events of a chunk, some at a time; what cannot be an event is put down in the account."""
    events: list[Event] = []
    for position, record in chunk.placed():
        _read(record, plan, events, account, partition=partition, position=position)
        if len(events) >= SLICE:
            yield events
            events = []
    if events:
        yield events


def _read(record: Record, plan: Plan, events: list[Event], account: Account, *, partition: int, position: int) -> None:
    header = decode_collected(record.header)
    if not header.source_id and header.write_key in plan.write_keys:
        header = msgspec.structs.replace(header, source_id=plan.write_keys[header.write_key])
    source = plan.sources.get(header.source_id)
    items = unpack(header, record.value)
    failures: list[SetAside] = []
    arrival = Arrival.of(header, items[0].sent_at)
    place = f"{partition}:{header.request or position}"
    for index, item in enumerate(items):
        event = _make(item, arrival, source, place=f"{place}:{index}", position=position)
        if isinstance(event, Event):
            events.append(event)
        else:
            failures.append(event)
            account.tally[header.source_id, "", Step.FAILED_ON_INGEST, event.reason] += 1
    account.tally[header.source_id, "", Step.RECEIVED, ""] += len(items)
    if failures and len(items) > 1:
        failures = [_as_part_of_a_batch(failure, len(failures), len(items)) for failure in failures]
    account.set_aside += failures


def _make(item: Item, arrival: Arrival, source: SourcePlan | None, *, place: str, position: int) -> Event | SetAside:
    body, header = item.body, arrival.header
    reason = item.reason or ("unknown_source" if source is None else source.refused)
    if body is not None and not reason:
        if header.kind and header.kind != "batch":
            body["type"] = header.kind
        reason = validate(body)
        if not reason:
            return normalise(body, arrival, place=place, position=position)
    message_id = body.get("messageId") if body is not None else None
    return SetAside(
        position,
        Step.FAILED_ON_INGEST,
        reason,
        source_id=header.source_id,
        message_id=message_id[:100] if isinstance(message_id, str) else "",
        payload=item.raw,
    )


def _as_part_of_a_batch(failure: SetAside, failed: int, items: int) -> SetAside:
    word = "empty_batch_result" if failed == items else "multi_user_error"
    return msgspec.structs.replace(failure, detail=f"{word}: {failed} of {items} items failed")


def _without(events: list[Event], repeated: set[int], account: Account) -> list[Event]:
    """The events but for those at some places, which are duplicates."""
    for index in sorted(repeated):
        event = events[index]
        account.tally[event.source_id, "", Step.DUPLICATE, "duplicate"] += 1
        account.set_aside.append(
            SetAside(
                event.position, Step.DUPLICATE, "duplicate", source_id=event.source_id, message_id=event.message_id
            )
        )
    return [event for index, event in enumerate(events) if index not in repeated]


def _publish(event: Event, source: SourcePlan, account: Account) -> Record:
    decision = route(event, source.routes)
    for destination_id, reason in decision.refused:
        account.tally[event.source_id, destination_id, Step.MATCHED, ""] += 1
        account.tally[event.source_id, destination_id, Step.FILTERED_AT_DESTINATION, reason] += 1
    body = event.body
    name = body.get("event" if event.type == "track" else "name")
    if not isinstance(name, str):
        name = ""
    account.published.append((event.source_id, event.type, name))
    header = ProcessedHeader(
        event.source_id,
        event.type,
        name,
        event.message_id,
        body.get("userId") or "",
        body.get("anonymousId") or "",
        event.received_at,
        event.profile_id,
        decision.chosen,
        excluded_warehouses(event, source.warehouse_ids) if body["integrations"] else (),
        event.profiles if len(event.profiles) > 1 else (),
        event.groups,
        event.happened_at,
    )
    return Record(partition_key(event), encode_header(header), encode(body))
