"""Reading bodies with bounds: on each in bytes and in time, and on all together in bytes (contract: 1.4, 1.5)."""

from __future__ import annotations

import asyncio
from typing import Final

from headwater.collect.inflate import inflate, too_large
from headwater.collect.rsgi import Exchange, Headers
from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.limits import MAX_BATCH_BYTES

_MAX_WIRE_BYTES: Final = MAX_BATCH_BYTES + 1_024
"""What cannot be compressed grows a little by it."""

_DRAIN_BYTES: Final = 8 * 1024 * 1024
"""A body that is too large is read and dropped up to here, because most clients read an answer only when they have
written all; beyond, the connection is closed on them."""


class Intake:
    """The bodies that are being read or waiting to be durable."""

    def __init__(self, *, max_held_bytes: int, read_seconds: float, now: float) -> None:
        """`now` is in seconds of the clock that `sweep` is told."""
        self._max_held = max_held_bytes
        self._read_seconds = read_seconds
        self._reading: dict[asyncio.Task[None] | None, float] = {}
        self._now = now
        self.held = 0
        """Bytes of bodies in memory."""

    async def read(self, exchange: Exchange, headers: Headers) -> bytes:
        """The body, decompressed; its length is held until `release`.

        Raises SenderError for a body that is too large or not what its encoding says, Unavailable when too much is
        held, and asyncio.CancelledError when the sender is too slow. Nothing is held after an error.
        """
        length = headers.get("content-length")
        size = int(length) if length is not None else -1
        task: asyncio.Task[None] | None = asyncio.current_task()
        self._reading[task] = self._now
        try:
            if 0 <= size <= _MAX_WIRE_BYTES:
                self._hold(size)
                try:
                    body = await exchange()
                except BaseException:
                    self.held -= size
                    raise
            else:
                body = await self._stream(exchange, size)
        finally:
            del self._reading[task]
        encoding = headers.get("content-encoding")
        if encoding is None and len(body) <= MAX_BATCH_BYTES:
            return body
        return self._unpack(body, encoding or "")

    def release(self, size: int) -> None:
        """Let go of a body."""
        self.held -= size

    def sweep(self, now: float, *, read_seconds: float | None = None) -> None:
        """Give up on senders that have been writing one body for too long. To be called about once a second."""
        self._now = now
        limit = self._read_seconds if read_seconds is None else read_seconds
        for task, since in list(self._reading.items()):
            if task is not None and now - since > limit:
                task.cancel()

    async def discard(self, exchange: Exchange) -> None:
        """Read a body that nobody wants, up to a bound."""
        task: asyncio.Task[None] | None = asyncio.current_task()
        self._reading[task] = self._now
        total = 0
        try:
            async for chunk in exchange:
                total += len(chunk)
                if total > _DRAIN_BYTES:
                    break
        finally:
            del self._reading[task]

    def _hold(self, size: int) -> None:
        if self.held + size > self._max_held:
            raise Unavailable("Too much is waiting for the disk; send it again in a moment.", retry_after=1.0)
        self.held += size

    async def _stream(self, exchange: Exchange, size: int) -> bytes:
        """A body of unknown length, or one known to be too large."""
        if size > _DRAIN_BYTES:
            raise too_large(MAX_BATCH_BYTES)
        body = bytearray()
        total = 0
        try:
            async for chunk in exchange:
                total += len(chunk)
                if total > _DRAIN_BYTES:
                    break
                if total <= _MAX_WIRE_BYTES and size <= _MAX_WIRE_BYTES:
                    self._hold(len(chunk))
                    body += chunk
            if total > _MAX_WIRE_BYTES:
                raise too_large(MAX_BATCH_BYTES)
        except BaseException:
            self.held -= len(body)
            raise
        return bytes(body)

    def _unpack(self, body: bytes, encoding: str) -> bytes:
        try:
            plain = inflate(body, encoding, MAX_BATCH_BYTES)
            if len(plain) > MAX_BATCH_BYTES:
                raise too_large(MAX_BATCH_BYTES)
            self._hold(len(plain) - len(body))
        except (SenderError, Unavailable):
            self.held -= len(body)
            raise
        return plain
