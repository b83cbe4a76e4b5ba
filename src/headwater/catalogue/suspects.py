"""Which events were under way when a worker died: they are performed apart, until one of them is found guilty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from headwater.catalogue.calls import Call
from headwater.spec.wire import JSON, encode

_MOST = 10_000


class Suspects:
    """A list of events by a digest of their content; the oldest are forgotten."""

    def __init__(self) -> None:
        self._held: dict[bytes, None] = {}

    def note(self, call: Call) -> None:
        """Its events were under way when a worker died."""
        self._held.update((digest, None) for digest in _digests(call.destination, call.events))
        for digest in list(self._held)[: max(len(self._held) - _MOST, 0)]:
            del self._held[digest]

    def holds(self, call: Call) -> bool:
        """Is one of its events on the list?"""
        return bool(self._held) and any(digest in self._held for digest in _digests(call.destination, call.events))

    def clear(self, call: Call) -> None:
        """Its events are done with."""
        for digest in _digests(call.destination, call.events):
            self._held.pop(digest, None)


def _digests(destination: str, events: Iterable[dict[str, JSON] | bytes]) -> Iterator[bytes]:
    for event in events:
        body = event if isinstance(event, bytes) else encode(event)
        yield blake2b(body, digest_size=12, key=destination.encode()[:64]).digest()
