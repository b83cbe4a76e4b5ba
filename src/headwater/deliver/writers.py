"""Open writers: the connections of destinations that do not speak HTTP, kept between writings.

A writer is opened by the first writing that needs it, shared by those that come while it is open, closed when it was
idle for a while, and closed and opened anew after a writing that it left without an answer; what finds an old
connection gone is written once more on a new one at once. One opening is under way at a time; all who wait for it share
what becomes of it. Every writing ends by its deadline, so a server that says nothing holds up nobody. Writers connect
only where the guard lets them: the same addresses that the transport permits.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from headwater.deliver.addresses import networks, permitted
from headwater.deliver.attempt import Attempted, item_verdict
from headwater.deliver.classify import Verdict, classify_silence
from headwater.deliver.ways import Run
from headwater.spec.destination import Action, DestinationDefinition, Exchange, Guard, Item, NoAnswer, Result, Writer
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.outcome import Step

_log = logging.getLogger(__name__)
_REFUSED = "The address is private; an operator can allow it with the setting deliver.allowed_addresses."
_LAST_SECONDS = 5.0
_AT_ONCE_SECONDS = 1.0


def address_guard(allowed_addresses: Sequence[str] = ()) -> Guard:
    """The transport's guard for those who connect themselves. Raises SetupError for what is no network.

    A name with any address that is not permitted is refused, as the transport does it.
    """
    allowed = networks(allowed_addresses)

    async def admit(host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, ValueError) as error:
            raise NoAnswer("UNREACHABLE", f"The name {host!r} cannot be resolved: {error}"[:300]) from error
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(permitted(address, allowed) for address in addresses):
            raise NoAnswer("PRIVATE_ADDRESS", _REFUSED)
        return str(ipaddress.ip_address(addresses[0].partition("%")[0]))

    return admit


class Writers:
    """All writers of the house. Open it with `async with`; leaving closes what is open."""

    def __init__(self, guard: Guard, *, idle_seconds: float = 120.0, deadline_seconds: float = 30.0) -> None:
        self._guard = guard
        self._idle = idle_seconds
        self._deadline = deadline_seconds
        self._known: WeakValueDictionary[bytes, _Kept] = WeakValueDictionary()
        self._open: set[_Kept] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Writers:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kept in list(self._known.values()):
            kept.forget()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_LAST_SECONDS)

    @property
    def open(self) -> int:
        """How many writers are open."""
        return len(self._open)

    def writing(self, definition: DestinationDefinition, action: Action, settings: dict[str, Any]) -> Run:
        """How an action that declares a writer is tried. Those with the same settings share one writer."""
        key = msgspec.json.encode([definition.name, action.slug, settings], order="deterministic")
        kept = self._known.get(key)
        if kept is None:
            kept = self._known[key] = _Kept(self, action, settings)
        held = kept

        async def run(items: Sequence[Item], exchange: Exchange) -> Attempted:
            started = time.perf_counter()
            verdict = await self._write(held, items)
            return Attempted(verdict, time.perf_counter() - started)

        return run

    async def _write(self, kept: _Kept, items: Sequence[Item]) -> Verdict:
        try:
            async with asyncio.timeout(self._deadline):
                return _judged(await self._answer(kept, items), len(items))
        except TimeoutError:
            return classify_silence(NoAnswer("TIMEOUT", f"No whole answer within {self._deadline:g} seconds."))
        except NoAnswer as error:
            return classify_silence(error)
        except SetupError as error:
            return classify_silence(NoAnswer("INVALID_SETTINGS", str(error)))
        except SenderError as error:
            return classify_silence(NoAnswer("MESSAGE_REJECTED", str(error)))
        except Exception as error:
            _log.exception("A writer of a destination failed")
            return classify_silence(NoAnswer("INTERNAL", f"The destination's writer failed: {type(error).__name__}."))

    async def _answer(self, kept: _Kept, items: Sequence[Item]) -> Result:
        """Write. A connection that was used before may be gone without having said so: then once more on a new one."""
        used, started = kept.used, time.monotonic()
        try:
            async with kept.borrowed() as writer:
                return await writer.write(items)
        except NoAnswer as error:
            if not used or error.reason != "UNREACHABLE" or time.monotonic() - started > _AT_ONCE_SECONDS:
                raise
        async with kept.borrowed() as writer:
            return await writer.write(items)

    async def start(self, action: Action, settings: dict[str, Any]) -> Writer:
        """Open a writer. Raises NoAnswer."""
        assert action.writer is not None, "the action declares no writer"
        try:
            async with asyncio.timeout(self._deadline):
                return await action.writer(settings, self._guard)
        except TimeoutError:
            raise NoAnswer("TIMEOUT", f"No connection within {self._deadline:g} seconds.") from None

    def opened(self, kept: _Kept) -> None:
        self._open.add(kept)

    def ended(self, kept: _Kept, writer: Writer) -> None:
        """Close a writer that nobody uses any more."""
        if not kept.open:
            self._open.discard(kept)
        task = asyncio.get_running_loop().create_task(_close(writer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def rested(self) -> None:
        """A writer has nothing to do: look later whether it still has not."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._idle, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        before = time.monotonic() - self._idle
        for kept in list(self._open):
            kept.forget_if_idle(before)
        if self._open:
            self.rested()


class _Use:
    """An open writer, how many writings use it, and whether it shall be closed when they have ended."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.users = 0
        self.doomed = self.used = False
        self.used_at = time.monotonic()


class _Kept:
    """The writer of one destination and settings: not open, being opened, or open."""

    def __init__(self, writers: Writers, action: Action, settings: dict[str, Any]) -> None:
        self._writers = writers
        self._action = action
        self._settings = settings
        self._use: _Use | None = None
        self._opening: asyncio.Task[_Use] | None = None

    @asynccontextmanager
    async def borrowed(self) -> AsyncGenerator[Writer]:
        """The writer, opened if need be. What breaks it has it closed."""
        use = await self._ready()
        use.users += 1
        try:
            yield use.writer
        except NoAnswer as error:
            use.doomed = use.doomed or error.reason != "MESSAGE_REJECTED"
            raise
        except BaseException:
            use.doomed = True
            raise
        finally:
            use.users -= 1
            use.used = True
            use.used_at = time.monotonic()
            if use.doomed:
                self._drop(use)
            else:
                self._writers.rested()

    @property
    def open(self) -> bool:
        """Is there a writer to use?"""
        return self._use is not None

    @property
    def used(self) -> bool:
        """Is it open, and was it written with?"""
        return self._use is not None and self._use.used

    def forget(self) -> None:
        """Close the writer as soon as nobody uses it, and do not open one."""
        if self._opening is not None:
            self._opening.cancel()
        if self._use is not None:
            self._use.doomed = True
            self._drop(self._use)

    def forget_if_idle(self, before: float) -> None:
        """The same, if it was last used before an instant of the monotonic clock."""
        if self._use is not None and not self._use.users and self._use.used_at <= before:
            self.forget()

    async def _ready(self) -> _Use:
        while True:
            if self._use is not None:
                return self._use
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._start())
                self._opening.add_done_callback(self._started)
            await asyncio.shield(self._opening)

    async def _start(self) -> _Use:
        return _Use(await self._writers.start(self._action, self._settings))

    def _started(self, task: asyncio.Task[_Use]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._use = task.result()
            self._writers.opened(self)
            self._writers.rested()

    def _drop(self, use: _Use) -> None:
        if self._use is use:
            self._use = None
        if not use.users:
            self._writers.ended(self, use.writer)


def _judged(failed: Result, count: int) -> Verdict:
    """What became of a writing. If every item failed by itself, so did the whole."""
    items = {index: item_verdict(why) for index, why in (failed or {}).items() if 0 <= index < count}
    if not items or len(items) < count:
        return Verdict(Step.DELIVERED, items=items)
    first = next((each for each in items.values() if each.step is Step.PENDING), next(iter(items.values())))
    return msgspec.structs.replace(first, ill=first.step is Step.PENDING, items=items)


async def _close(writer: Writer) -> None:
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await writer.close()
    except Exception as error:
        _log.info("A destination's connection could not be closed in order: %s", error)
