"""The people of an account, and which of them have been told what it is in. Pure.

An account's standing keeps a digest of each identifier that its people were told under, so that whoever joins later is
told, and nobody twice. Of accounts that become one, who leaves hears it whoever told them, and who did not hear from
each hears what the whole is in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

import msgspec

_BYTES: Final = 8
"""Of a digest: two of a million identifiers are the same once in tens of millions of accounts."""

People = Iterable[tuple[str, tuple[str, ...]]]
"""The linked users' profiles, each with its identifiers, oldest first."""


class Linked(msgspec.Struct, frozen=True):
    """One of an account's people: all identifiers, and those that are told now."""

    profile_id: str
    identifiers: tuple[str, ...]
    to: tuple[str, ...]


def everybody(people: People) -> tuple[Linked, ...]:
    """All of them, under all identifiers."""
    return tuple(Linked(id, identifiers, identifiers) for id, identifiers in people)


def told(people: People, known: bytes | None) -> tuple[Linked, ...]:
    """Those who have been told. Of an account that never noted whom it told, everybody has."""
    return everybody(people) if known is None else _those(people, _read(known).__contains__)


def newcomers(people: People, known: bytes | None) -> tuple[Linked, ...]:
    """Those who have not been told, or not under all identifiers."""
    there = frozenset() if known is None else _read(known)
    return () if known is None else _those(people, lambda one: one not in there)


def remember(people: People) -> bytes:
    """All of these have been told."""
    return _write(_digest(one) for _, identifiers in people for one in identifiers)


def told_by_any(several: Iterable[bytes | None]) -> bytes | None:
    """Those whom one of some accounts has told at least, None if one of these has told everybody."""
    noted = list(several)
    return None if None in noted else _write(chain.from_iterable(_read(each) for each in noted if each))


def told_by_all(several: Iterable[bytes | None]) -> bytes | None:
    """Those whom each of some accounts has told, None if each has told everybody."""
    noted = [_read(each) for each in several if each is not None]
    return _write(frozenset.intersection(*noted)) if noted else None


def _those(people: People, wanted: Callable[[bytes], bool]) -> tuple[Linked, ...]:
    found = (
        Linked(id, identifiers, tuple(one for one in identifiers if wanted(_digest(one)))) for id, identifiers in people
    )
    return tuple(one for one in found if one.to)


def _read(known: bytes) -> frozenset[bytes]:
    return frozenset(known[place : place + _BYTES] for place in range(0, len(known), _BYTES))


def _write(known: Iterable[bytes]) -> bytes:
    return b"".join(sorted(set(known)))


def _digest(identifier: str) -> bytes:
    return hashlib.blake2b(identifier.encode(), digest_size=_BYTES).digest()
