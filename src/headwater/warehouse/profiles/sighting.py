"""Rows of the logs: turns, first sightings of identifiers, traits that merges brought together, and values. Pure.

(Contract: profiles-governance 4.4.) Rows are told as flat events, so that they are loaded as events are: those whose
id is known are passed over.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from headwater.profiles.computed import Worked, as_write
from headwater.profiles.known import Write
from headwater.spec.graph import Cause, Link, make_id
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Source
from headwater.store.histories import Removed
from headwater.warehouse.flatten import Flat, flatten, uuid_of
from headwater.warehouse.naming import Names
from headwater.warehouse.profiles.hearing import trait_row
from headwater.warehouse.profiles.history import Turn, Turns, canonical_at, seq_of
from headwater.warehouse.profiles.names import EXTERNAL_ID_MAPPING_UPDATES, ID_GRAPH_UPDATES

CREATED: Final = "CREATED"
REMOVED: Final = "REMOVED"
UNMERGE: Final = "unmerge"
"""What stands in `triggering_event_type` of a row that no event led to, but a merge undone by hand."""
COMPUTATION: Final = "computation"
"""And of a row that an audience or computed trait led to."""

Traits = Mapping[str, Mapping[str, Write]]
"""Traits by name, by profile."""


class Witness(msgspec.Struct, frozen=True):
    """What the events of a load say of themselves: profile and timestamp of each, by message id.

    `past` says that a load looks at what was there before the warehouse; its rows are without timestamp.
    """

    segments: Mapping[str, str]
    timestamps: Mapping[str, str | None]
    sources: Mapping[str, Source]
    past: bool = False

    def timestamp(self, cause: Cause | None, at: int) -> str | None:
        """When it happened: as its event says, else when it was received."""
        if self.past:
            return None
        return (self.timestamps.get(cause.message_id) if cause else None) or format_moment(at)

    def trigger(self, cause: Cause | None) -> dict[str, Any]:
        """The columns that tell of the event behind a row."""
        if cause is None:
            return {}
        source = self.sources.get(cause.source_id)
        return {
            "triggering_event_id": cause.message_id,
            "triggering_event_name": cause.event_name or None,
            "triggering_event_type": cause.event_type,
            "triggering_event_source_id": cause.source_id,
            "triggering_event_source_name": source.name if source else None,
            "triggering_event_source_slug": source.slug if source else None,
        }


class Sighting(msgspec.Struct, frozen=True):
    """An identifier, the profile on which it was first seen, and the one that the store gives it to.

    With `removed_at`, that it was taken away.
    """

    id: str
    segment_id: str
    profile_id: str
    type: str
    value: str
    seq: int
    cause: Cause
    removed_at: int | None = None


def sight(links: Iterable[Link], turns: Turns, witness: Witness) -> list[Sighting]:
    """The first sightings of identifiers.

    The store keeps with which profile an identifier goes when merges are undone; the log tells whose it was when it
    came, which is said by its event or, when that is not at hand, by the turns.
    """
    found: list[Sighting] = []
    places: dict[tuple[str, int], int] = {}
    for link in sorted(links, key=lambda link: (link.cause.at, link.identifier)):
        cause = link.cause
        segment_id = witness.segments.get(cause.message_id)
        if not segment_id:
            segment_id = canonical_at(turns[link.profile_id], cause.at) if cause.matched else link.profile_id
        place = places[link.profile_id, cause.at] = places.get((link.profile_id, cause.at), -1) + 1
        type, _, value = link.identifier.partition(":")
        id = make_id("eim_", cause.at, link.identifier, link.profile_id, cause.message_id, CREATED)
        found.append(Sighting(id, segment_id, link.profile_id, type, value, seq_of(cause.at, place), cause))
    return found


def sight_removed(removed: Iterable[Removed], turns: Turns, witness: Witness) -> list[Sighting]:
    """Identifiers that were taken away: once as they were seen, and once that they are gone (1.11)."""
    found: list[Sighting] = []
    for each in removed:
        [seen] = sight([each.link], turns, witness)
        id = make_id("eim_", each.at, each.link.identifier, each.link.profile_id, REMOVED, str(each.at))
        seq = max(seq_of(each.at), seen.seq + 1)
        found += [seen, msgspec.structs.replace(seen, id=id, seq=seq, removed_at=each.at)]
    return found


def external_id_hash(type: str, value: str) -> str:
    """SHA-1 of type and value without anything between them, in lower-case hexadecimals."""
    return hashlib.sha1(f"{type}{value}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def sighting_rows(sightings: Iterable[Sighting], witness: Witness) -> list[Flat]:
    """Rows for `external_id_mapping_updates`."""
    rows: list[Flat] = []
    for each in sightings:
        gone = each.removed_at is not None
        at = each.cause.at if each.removed_at is None else each.removed_at
        row = _row(
            EXTERNAL_ID_MAPPING_UPDATES,
            each.id,
            at,
            segment_id=each.segment_id,
            external_id_type=each.type,
            external_id_value=each.value,
            external_id_hash=external_id_hash(each.type, each.value),
            seq=each.seq,
            timestamp=witness.timestamp(None if gone else each.cause, at),
            __operation=REMOVED if gone else CREATED,
            **({} if gone else witness.trigger(each.cause)),
        )
        rows.append(row)
    return rows


def turn_rows(turns: Iterable[Turn], witness: Witness) -> list[Flat]:
    """Rows for `id_graph_updates`."""
    rows: list[Flat] = []
    for turn in turns:
        trigger = witness.trigger(turn.cause)
        if turn.undone and turn.merge is not None:
            trigger = {"triggering_event_type": UNMERGE, "triggering_event_id": turn.merge.id}
        row = _row(
            ID_GRAPH_UPDATES,
            turn.id,
            turn.at,
            segment_id=turn.segment_id,
            canonical_segment_id=turn.canonical_id,
            seq=turn.seq,
            timestamp=witness.timestamp(turn.cause, turn.at),
            **trigger,
        )
        rows.append(row)
    return rows


def merged_trait_rows(turns: Turns, own: Traits, now: Traits, witness: Witness, names: Names) -> list[Flat]:
    """Rows for `profile_traits_updates`: one for each merge of these events that brought traits along.

    `own` are the traits that each profile has by itself, `now` those of canonical profiles. A row tells the traits that
    were there when it happened and still are; those written since have rows of their own.
    """
    brought: defaultdict[str, list[Turn]] = defaultdict(list)
    for mine in turns.values():
        for turn in mine:
            by_event = turn.cause is not None and turn.cause.message_id in witness.segments
            if turn.merge is not None and by_event and turn.canonical_id == mine[-1].canonical_id:
                brought[turn.merge.id].append(turn)
    rows: list[Flat] = []
    for merge_id, together in brought.items():
        turn = together[0]
        if any(_until(own.get(each.segment_id, {}), each.at) for each in together):
            cells = {
                "segment_id": turn.canonical_id,
                "seq": turn.seq,
                "timestamp": witness.timestamp(turn.cause, turn.at),
                **witness.trigger(turn.cause),
            }
            written = _until(now[turn.canonical_id], turn.at)
            rows.append(_whole(make_id("ptu_", turn.at, merge_id), turn.at, written, cells, names))
    return rows


def _until(traits: Mapping[str, Write], at: int) -> dict[str, Write]:
    return {name: write for name, write in traits.items() if write.mark.received_at <= at}


def past_trait_rows(traits: Traits, known_ids: set[str], names: Names) -> list[Flat]:
    """Rows for `profile_traits_updates` that tell the traits of people who were there before the warehouse.

    What the log has from the events that wrote it, which are `known_ids`, is not told again.
    """
    rows: list[Flat] = []
    for canonical_id, every in traits.items():
        written = {name: write for name, write in every.items() if write.mark.message_id not in known_ids}
        if written:
            mark = max(each.mark for each in written.values())
            id = make_id("ptu_", mark.at, canonical_id)
            cells = {"segment_id": canonical_id, "seq": seq_of(mark.at, mark.position)}
            rows.append(_whole(id, mark.received_at, written, cells, names))
    return rows


def value_rows(values: Mapping[str, Sequence[Worked]], witness: Witness, names: Names) -> list[Flat]:
    """Rows for `profile_traits_updates`: one for each value of a computation."""
    rows: list[Flat] = []
    for canonical_id, worked in values.items():
        for one in worked:
            written = as_write(one)
            id = make_id("ptu_", one.at, canonical_id, one.id, written.value.decode())
            cells = {
                "segment_id": canonical_id,
                "seq": seq_of(one.at),
                "timestamp": witness.timestamp(None, one.at),
                "triggering_event_type": COMPUTATION,
                "triggering_event_id": one.id,
            }
            rows.append(_whole(id, one.at, {one.key: written}, cells, names))
    return rows


def _whole(id: str, received_at: int, traits: Mapping[str, Write], cells: dict[str, Any], names: Names) -> Flat:
    body = {"type": "identify", "messageId": id, "traits": {name: value_of(traits[name].value) for name in traits}}
    flat = flatten(body, received_at=received_at, names=names)
    assert flat is not None
    return trait_row(flat, flat.own, cells)


def value_of(written: bytes) -> Any:
    """A trait's value; its text as it is written, should it be no JSON that can be read."""
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return written.decode("utf-8", "replace")


def _row(table: str, id: str, at: int, **cells: Any) -> Flat:
    return Flat(id=id, table=table, uuid=uuid_of(id), received_at=at, common={"id": id, **cells}, own={}, lost={})
