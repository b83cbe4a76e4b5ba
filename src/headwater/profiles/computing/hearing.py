"""Who hears what of a computation: its calls, each with the connections that hear it alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from headwater.spec.computation import Call, Connection, IdSync

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Heard(msgspec.Struct, frozen=True):
    """A call, and the connections that hear it alike: by the same identifiers, with the same settings."""

    call: Call
    sync: tuple[IdSync, ...]
    mobile: bool
    by: tuple[Connection, ...]


def alike(connections: Iterable[Connection]) -> tuple[Heard, ...]:
    """The calls that are made, once each for all who hear the very same."""
    found: dict[bytes, tuple[Call, list[Connection]]] = {}
    for each in connections:
        for call in each.calls:
            if each.enabled and call.enabled:
                key = _encode((call, each.id_sync, each.mobile_ids, each.settings))
                found.setdefault(key, (call, []))[1].append(each)
    return tuple(Heard(call, by[0].id_sync, by[0].mobile_ids, tuple(by)) for call, by in found.values())
