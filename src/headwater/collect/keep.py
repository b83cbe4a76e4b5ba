"""From an accepted body to durable records: whose it is, whether the budget allows it, and the append."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from secrets import token_hex
from typing import Final

from headwater.collect.accept import Accepted
from headwater.collect.addresses import Proxies
from headwater.collect.convoy import Convoy
from headwater.collect.routes import Route
from headwater.collect.rsgi import Headers, Scope
from headwater.collect.split import split
from headwater.collect.tally import Tally
from headwater.collect.throttle import Bucket, Budget, Throttle
from headwater.collect.write_keys import MAX_KEY_CHARS, compile_keys
from headwater.eventlog import EventLog
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, encode_header
from headwater.spec.settings import CollectSettings
from headwater.spec.workspace import Source
from headwater.store.snapshot import Snapshot

_UNKNOWN_BYTES_PER_SECOND: Final = 16_384
"""Bodies of unknown keys are kept at this rate at most, so that strangers cannot fill the disk with them."""

_MAX_AGENT_CHARS: Final = 1_024
_HEALS_AFTER_SECONDS: Final = 2.0
"""So long after a failed append the log is shown as away; then the next request may find out."""


class Keeper:
    """Appends what was accepted, under the name of its source."""

    def __init__(
        self,
        *,
        log: EventLog,
        snapshot: Snapshot,
        settings: CollectSettings,
        proxies: Proxies,
        tally: Tally,
        marks: Callable[[], str] = str,
    ) -> None:
        """`marks` gives each request what tells it from others (`CollectedHeader.request`)."""
        self._convoys = [Convoy(log, partition) for partition in log.partitions(COLLECTED)]
        self._snapshot = snapshot
        self._workspace = snapshot.current
        self._sources = compile_keys(snapshot.current)
        self._events_per_second = settings.events_per_second
        self._capture_ipv6 = settings.capture_ipv6
        self._proxies = proxies
        self._tally = tally
        self._throttle = Throttle()
        self._unknown = Bucket(_UNKNOWN_BYTES_PER_SECOND, time.monotonic())
        self._failed_at: float | None = None
        self._mark = marks

    @property
    def healthy(self) -> bool:
        """Did appends work lately?"""
        return self._failed_at is None or time.monotonic() - self._failed_at > _HEALS_AFTER_SECONDS

    def source(self, write_key: str) -> Source | None:
        """The source that has this key, enabled or not, in the newest configuration."""
        if self._snapshot.current is not self._workspace:
            self._workspace = self._snapshot.current
            self._sources = compile_keys(self._workspace)
        return self._sources.get(write_key)

    async def keep(self, route: Route, accepted: Accepted, scope: Scope, headers: Headers) -> Budget | None:
        """Make it durable, unless its source has spent its budget, which is returned if the source has a limit.

        Raises Unavailable when the log is away; a batch of several partitions may then be kept in part, and is
        deduplicated when the sender comes again.
        """
        source = self.source(accepted.write_key)
        budget: Budget | None = None
        if source is None:
            source_id = ""
            if not self._unknown.take(len(accepted.value), time.monotonic()):
                accepted = Accepted(accepted.write_key, b"", refused=accepted.refused or "unknown_source")
        else:
            source_id = source.id
            rate = source.events_per_second or self._events_per_second
            if rate > 0:
                budget = self._throttle.take(source_id, rate, accepted.events, time.monotonic())
                if budget.spent:
                    return budget
        header = CollectedHeader(
            route.kind,
            source_id,
            accepted.write_key[:MAX_KEY_CHARS],
            time.time_ns() // 1_000_000,
            route.direct,
            self._client_address(scope, headers),
            (headers.get("user-agent") or "")[:_MAX_AGENT_CHARS],
            accepted.refused,
            self._mark(),
        )
        started = time.perf_counter() if self._tally.samples_wanted > 0 else 0.0
        records = split(accepted, source_id, encode_header(header), len(self._convoys))
        for durable in [self._convoys[partition].add(record) for partition, record in records]:
            if (error := await durable) is not None:
                raise self._note(error) from error
        self._failed_at = None
        if started:
            self._tally.sample(time.perf_counter() - started)
        self._tally.bytes += len(accepted.value)
        return budget

    def _client_address(self, scope: Scope, headers: Headers) -> str:
        peer = scope.client.rpartition(":")[0]
        forwarded = () if headers.get("x-forwarded-for") is None else headers.get_all("x-forwarded-for")
        address = self._proxies.client(peer, forwarded)
        return "" if ":" in address and not self._capture_ipv6 else address

    def _note(self, error: Exception) -> Exception:
        """Remember that the log is away. Several requests share the error, so each raises its own."""
        if not isinstance(error, Unavailable):
            return RuntimeError(f"the log failed: {error!r}")
        self._failed_at = time.monotonic()
        return Unavailable(str(error), retry_after=error.retry_after)


def marking() -> Callable[[], str]:
    """A function that returns another mark each time, and none that another process returns."""
    process, numbers = token_hex(6), count()
    return lambda: f"{process}{next(numbers):x}"
