"""How a profile stands: the value that each computation has for it, and what of that has been told. Pure.

An answer is a change only against what stands here, so that what is asked twice is told once. Values are asked in the
order of what refers to what, and one that changes has those asked that refer to it, in the same pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from headwater.profiles.computing import joining
from headwater.profiles.computing.catalogue import Ready, Rules
from headwater.spec.computation import Value, holds, kind_of

Why = Literal["changed", "untold"]


class Held(msgspec.Struct, array_like=True):
    """A value that a profile has: since when (ms), how often it changed, and when it may change by time alone."""

    key: str
    value: Value
    at: int
    changes: int = 0
    due: int | None = None


class Standing(msgspec.Struct, array_like=True):
    """How a canonical profile stands.

    `version` is that of the identity graph when all was asked last, `identifiers` those of the profile then, which
    have been told of every value. `values` are by computation. `of` is the profile that this was written for: where it
    stands under another's id, it is a copy that a parting made, and sizes do not have it yet. `people` are those of an
    account who have been told (`joining`).
    """

    asked: int = 0
    version: int = 0
    identifiers: list[str] = []
    values: dict[str, Held] = {}
    of: str = ""
    people: bytes | None = None

    def due(self) -> int | None:
        """When the first value may change although nothing comes."""
        return min((held.due for held in self.values.values() if held.due is not None), default=None)


class Change(msgspec.Struct, frozen=True):
    """A value to be told to identifiers: to all when it changed, else to those that have not been told."""

    ready: Ready
    before: Value
    value: Value
    changes: int
    why: Why
    to: tuple[str, ...]


encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Standing).decode
Ask = Callable[[Ready, dict[str, Any], int], tuple[Value, int | None]]
"""The value of a computation for the profile, by its traits and the instant, and when it may change by time alone."""


def values(standing: Standing) -> dict[str, Value]:
    """What a profile has by computations, under the keys of traits."""
    return {held.key: held.value for held in standing.values.values() if held.value is not None}


def is_empty(standing: Standing) -> bool:
    """Is there nothing to be remembered?"""
    return not standing.values


def absorb(own: Standing, others: Sequence[Standing]) -> tuple[Standing, dict[str, set[str]]]:
    """One standing of several that a merge made one, and who has been told what of it, by computation.

    Who was in an audience on either side has been told so, and must hear it if the whole is not in it.
    """
    told: dict[str, set[str]] = {}
    whole = Standing(own.asked, own.version, list(own.identifiers), dict(own.values), people=_people([own, *others]))
    for one in (own, *others):
        for id, held in one.values.items():
            if holds(kind_of(id), held.value):
                told.setdefault(id, set()).update(one.identifiers)
    for one in others:
        whole.asked = max(whole.asked, one.asked)
        for id, held in one.values.items():
            mine = whole.values.get(id)
            kind = kind_of(id)
            newest = held if mine is None or (holds(kind, held.value) and not holds(kind, mine.value)) else mine
            # Should they be parted, none may say with the number of a change what it said with it before.
            changes = held.changes + (mine.changes if mine else 0)
            whole.values[id] = Held(newest.key, newest.value, newest.at, changes, newest.due)
    return whole, told


def _people(parts: Sequence[Standing]) -> bytes | None:
    """The people of all these accounts who have been told what each is in; of one that is in nothing, none has."""
    noted = any(one.people is not None for one in parts)
    return joining.told_by_all(one.people if one.values or not noted else b"" for one in parts)


def surplus(parts: Mapping[str, Standing], whole: Standing) -> dict[str, int]:
    """By how much sizes are too large, by computation, now that these standings are one; `parts` are by profile."""
    found = {id: -1 for id, held in whole.values.items() if holds(kind_of(id), held.value)}
    for profile_id, one in parts.items():
        for id, held in one.values.items():
            if holds(kind_of(id), held.value) and one.of in ("", profile_id):
                found[id] = found.get(id, 0) + 1
    return {id: by for id, by in found.items() if by}


class Subject(msgspec.Struct):
    """The profile that is asked about: its identifiers, and those told of a value where that is not all.

    An account that people `joined` has values to be told although none of its own identifiers is new.
    """

    identifiers: tuple[str, ...]
    version: int
    told: Mapping[str, set[str]] = {}
    joined: bool = False


def settle(
    rules: Rules,
    standing: Standing,
    subject: Subject,
    traits: dict[str, Any],
    places: Iterable[int],
    *,
    ask: Ask,
    follows: Callable[[Ready], bool],
    now: int,
) -> list[Change]:
    """Ask the computations at these places and all that refer to what changes; note and return what changed.

    `traits` are those that the queries read; values are added to them as they change. `follows` says whether one that
    refers to what changed can be asked. `now` may not go back.
    """
    standing.asked = now = max(now, standing.asked)
    known = {identifier.partition(":")[0] for identifier in subject.identifiers}
    queue = sorted(set(places))
    waiting = set(queue)
    found: list[Change] = []
    while queue:
        place = heapq.heappop(queue)
        waiting.discard(place)
        ready = rules.ready[place]
        value, due = ask(ready, traits, now)
        computation = ready.computation
        if computation.kind == "audience":
            value = bool(value) and (computation.level == "ACCOUNTS" or not known.isdisjoint(computation.known_by))
        held = standing.values.get(ready.id)
        before = None if held is None or not held.changes else held.value
        if not _note(standing, ready, value, due, now):
            continue
        to = subject.identifiers if holds(computation.kind, value) else _told(standing, subject, ready.id)
        found.append(Change(ready, before, value, standing.values[ready.id].changes, "changed", to))
        _put(traits, computation.key, value)
        for other in rules.by_trait.get(computation.key, ()):
            if other.place > place and other.place not in waiting and follows(other):
                waiting.add(other.place)
                heapq.heappush(queue, other.place)
    return found + _untold(rules, standing, subject, {change.ready.id for change in found})


def _told(standing: Standing, subject: Subject, computation_id: str) -> tuple[str, ...]:
    """The identifiers that have been told that the value holds, and must hear that it does not."""
    told = subject.told.get(computation_id, standing.identifiers)
    return tuple(each for each in subject.identifiers if each in told)


def _note(standing: Standing, ready: Ready, value: Value, due: int | None, now: int) -> bool:
    """Note the value; says whether it is another than before."""
    held, there = standing.values.get(ready.id), holds(ready.computation.kind, value)
    if held is None:
        if not there and due is None:
            return False
        standing.values[ready.id] = Held(ready.computation.key, value, now, int(there), due)
        return there
    held.due = due
    if _same(held.value, value) and (held.changes or not there):
        return False
    held.value, held.at, held.changes = value, now, held.changes + 1
    return True


def _same(one: Value, other: Value) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _untold(rules: Rules, standing: Standing, subject: Subject, changed: set[str]) -> list[Change]:
    """The values that some identifiers have not been told. Afterwards they have."""
    new = set(subject.identifiers) - set(standing.identifiers)
    found: list[Change] = []
    if new or subject.told or subject.joined:
        for ready in rules.ready:
            held = standing.values.get(ready.id)
            if held is None or ready.id in changed or not holds(ready.computation.kind, held.value):
                continue
            told = subject.told.get(ready.id)
            to = new if told is None else set(subject.identifiers) - told
            if to or subject.joined:
                mine = tuple(each for each in subject.identifiers if each in to)
                found.append(Change(ready, held.value, held.value, held.changes, "untold", mine))
    standing.identifiers = list(subject.identifiers)
    standing.version = subject.version
    return found


def _put(traits: dict[str, Any], key: str, value: Value) -> None:
    if value is None:
        traits.pop(key, None)
    else:
        traits[key] = value
