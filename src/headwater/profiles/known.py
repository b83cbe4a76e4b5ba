"""What is known of one profile: a fold of its events, whatever the order in which they come.

Pure. A state says the same whichever way its events were folded, and however they were split over several states that
are then united: traits and moments by the newest timestamp, counts as sums. So late events find their place, and what
merges bring together is united when it is read, with nothing rewritten (contract: profiles-governance 1.8, 3.1).

Traits come from the top-level `traits` of identify calls (users) and group calls (accounts) alone (1.3). `null` takes a
trait away (1.9); any other value is kept whole, as the sender wrote it. An event counts as having happened when it was
received at the latest, so that a clock that is ahead cannot hold a trait for ever.

Bounds, which `bound` applies: the 2,000 traits written last; of each the 10 values written last, once each, those
before the newest only up to 1 KB; 1,000 event names, first in the alphabet first, with all others counted in `events`;
the 100 companies referred to last. These hold in any order too. A profile whose traits come to more than 1 MB loses
those written longest ago, which is the one thing that may depend on the order. Calls with more than 300 traits never
get here (1.10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

MAX_VALUES: Final = 10
MAX_OLD_VALUE_BYTES: Final = 1_024
MAX_TRAITS: Final = 2_000
MAX_TRAIT_BYTES: Final = 1_000_000
MAX_NAMES: Final = 1_000
MAX_GROUPS: Final = 100
NULL: Final = b"null"

_CHARACTER_BYTES: Final = 4
"""A character of a trait's name counts as so many bytes."""


class Mark(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """An event's place among all: when it happened and was received (ms), its position, its id and source."""

    at: int
    received_at: int
    position: int
    message_id: str
    source_id: str


class Write(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A trait's value, as JSON text, and the newest event that wrote it."""

    mark: Mark
    value: bytes


class Told(msgspec.Struct, frozen=True, gc=False):
    """What one event tells of one profile. `name` is empty for what is not counted by name."""

    mark: Mark
    name: str = ""
    traits: Mapping[str, bytes] | None = None
    groups: tuple[str, ...] = ()


class State(msgspec.Struct, array_like=True, gc=False):
    """What is known of one profile.

    `traits` are the values of each, newest first; one that is null is not there any more. `names` counts events by
    name, `sources` by source. `groups` are the companies that a person's events referred to, with the newest moment.
    """

    first: Mark
    last: Mark
    events: int = 0
    names: dict[str, int] = {}
    sources: dict[str, int] = {}
    groups: dict[str, int] = {}
    traits: dict[str, list[Write]] = {}


class _Counted(msgspec.Struct, array_like=True, gc=False):
    """A State of which only what most events change is open."""

    first: msgspec.Raw
    last: Mark
    events: int
    names: dict[str, int]
    sources: dict[str, int]
    groups: dict[str, int]
    traits: msgspec.Raw


encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(State).decode
_decode_counted: Final = msgspec.msgpack.Decoder(_Counted).decode


def fold(state: State | None, told: Told) -> State:
    """The state after one more event. A state that is given is changed in place."""
    mark = told.mark
    if state is None:
        state = State(mark, mark)
    elif mark > state.last:
        state.last = mark
    elif mark < state.first:
        state.first = mark
    _count(state, told)
    if told.traits:
        traits = state.traits
        for key, value in told.traits.items():
            traits[key] = _after(traits.get(key), Write(mark, value))
    return state


def _count(state: State | _Counted, told: Told) -> None:
    state.events += 1
    sources, source = state.sources, told.mark.source_id
    sources[source] = sources.get(source, 0) + 1
    if name := told.name:
        names = state.names
        names[name] = names.get(name, 0) + 1
    if told.groups:
        groups, at = state.groups, told.mark.at
        for group in told.groups:
            groups[group] = max(at, groups.get(group, 0))


def fold_packed(data: bytes, told: Sequence[Told]) -> bytes:
    """A state as bytes after more events, within the bounds; no bytes are the state before the first.

    While all of them are newer than those before and carry no traits, the traits need not be opened.
    """
    if data and (packed := _fold_newer(data, told)) is not None:
        return packed
    state = decode(data) if data else None
    for each in told:
        state = fold(state, each)
    return b"" if state is None else pack(state)


def _fold_newer(data: bytes, told: Sequence[Told]) -> bytes | None:
    for each in told:
        if each.traits:
            return None
    state = _decode_counted(data)
    for each in told:
        if each.mark <= state.last:
            return None
        state.last = each.mark
        _count(state, each)
    return encode(state) if len(state.names) <= MAX_NAMES and len(state.groups) <= MAX_GROUPS else None


def unite(states: Iterable[State]) -> State | None:
    """What several states come to, none of which is changed; None for none."""
    found = list(states)
    if not found:
        return None
    traits: dict[str, list[Write]] = {}
    groups: dict[str, int] = {}
    names: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for state in found:
        names.update(state.names)
        sources.update(state.sources)
        for group, at in state.groups.items():
            groups[group] = max(at, groups.get(group, 0))
        for key, values in state.traits.items():
            traits[key] = _newest([*traits[key], *values]) if key in traits else values
    return State(
        min(state.first for state in found),
        max(state.last for state in found),
        sum(state.events for state in found),
        dict(names),
        dict(sources),
        groups,
        traits,
    )


def bound(state: State) -> State:
    """Take away, in place, what is beyond the bounds."""
    if len(state.names) > MAX_NAMES:
        state.names = {name: state.names[name] for name in sorted(state.names)[:MAX_NAMES]}
    if len(state.groups) > MAX_GROUPS:
        newest = sorted(state.groups.items(), key=lambda item: (item[1], item[0]), reverse=True)
        state.groups = dict(newest[:MAX_GROUPS])
    if len(state.traits) > MAX_TRAITS or _bytes(state.traits) > MAX_TRAIT_BYTES:
        state.traits = _newest_traits(state.traits)
    return state


def pack(state: State) -> bytes:
    """A state as bytes, with what is beyond the bounds taken away, in place too."""
    if len(state.names) <= MAX_NAMES and len(state.groups) <= MAX_GROUPS and len(state.traits) <= MAX_TRAITS:
        data = encode(state)
        if len(data) <= MAX_TRAIT_BYTES // _CHARACTER_BYTES:  # so that its traits cannot come to more
            return data
    return encode(bound(state))


def traits(state: State) -> dict[str, Write]:
    """The traits as they are now, in the order of their names."""
    return {key: state.traits[key][0] for key in sorted(state.traits) if state.traits[key][0].value != NULL}


def _after(before: list[Write] | None, written: Write) -> list[Write]:
    """The values of a trait with one more, as `_newest` has them; most are newer than all that are there."""
    if before is None:
        return [written]
    newest, value = before[0], written.value
    if newest.mark >= written.mark:
        return _newest([written, *before])
    if newest.value == value:
        return [written, *before[1:]]
    kept = [one for one in before if one.value != value]
    if kept and len(kept[0].value) > MAX_OLD_VALUE_BYTES:
        del kept[0]
    return [written, *kept[: MAX_VALUES - 1]]


def _newest(values: list[Write]) -> list[Write]:
    """The values written last, newest first, each once; long ones only while they are the newest."""
    values.sort(key=_order, reverse=True)
    kept = values[:1]
    seen = {kept[0].value}
    for one in values[1:]:
        if one.value not in seen and len(one.value) <= MAX_OLD_VALUE_BYTES:
            seen.add(one.value)
            kept.append(one)
    return kept[:MAX_VALUES]


def _order(one: Write) -> tuple[Mark, bytes]:
    return one.mark, one.value


def _newest_traits(traits: Mapping[str, list[Write]]) -> dict[str, list[Write]]:
    room = MAX_TRAIT_BYTES
    kept: dict[str, list[Write]] = {}
    newest = sorted(traits.items(), key=lambda item: (item[1][0].mark, item[0]), reverse=True)
    for key, values in newest[:MAX_TRAITS]:
        if room <= 0:
            break
        room -= _size(key, values)
        kept[key] = values
    return kept


def _bytes(traits: Mapping[str, list[Write]]) -> int:
    return sum(_size(key, values) for key, values in traits.items())


def _size(key: str, values: list[Write]) -> int:
    return _CHARACTER_BYTES * len(key) + len(values[0].value)
