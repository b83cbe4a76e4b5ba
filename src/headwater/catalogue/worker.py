"""One process of Node.js that performs destinations, and the pipe to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from headwater.catalogue import fetching, frames
from headwater.catalogue.calls import HoldTokens, SaveTokens, Tokens
from headwater.spec.destination import Exchange, NoAnswer
from headwater.spec.errors import HeadwaterError

Asked = TypeVar("Asked", frames.Fetch, frames.Lock, frames.Token)
_log = logging.getLogger(__name__)
_START_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
_LINE_BYTES = 4 * frames.MOST_BYTES
_CANNOT_PASS = frozenset({"PRIVATE_ADDRESS", "INVALID_SETTINGS", "MESSAGE_REJECTED", "INTERNAL"})


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is watched: seconds between pings, pings that may stay unanswered, seconds after a cancel until it
    is not waited for any more, the memory (bytes) at which it is replaced, and the longest wait before a new one.
    """

    ping: float = 5.0
    unanswered: int = 3
    cancelling: float = 2.0
    memory: int = 400_000_000
    longest_wait: float = 30.0


class WorkerEnded(Exception):
    """The process ended with calls under way."""


class Running:
    """A call under way: how it reaches the network and the connection's tokens, and in the end its result."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        tokens: Tokens,
        secrets: tuple[str, ...] = (),
        save: SaveTokens | None = None,
        hold: HoldTokens | None = None,
    ) -> None:
        self.exchange = exchange
        self.secrets = secrets
        self.save = save
        self.hold = hold
        self.access_token = tokens.get("access_token", "")
        self.result: asyncio.Future[frames.Result] = asyncio.get_running_loop().create_future()
        self.until = 0.0
        self.turn = AsyncExitStack()
        self.silence: NoAnswer | None = None
        self.refused: NoAnswer | None = None

    def fail(self, error: BaseException) -> None:
        """End it with an exception."""
        if not self.result.done():
            self.result.set_exception(error)


class Worker:
    """Made by `start`. Calls of any number may be under way; all end with WorkerEnded when the process does."""

    def __init__(self, process: asyncio.subprocess.Process, pace: Pace) -> None:
        self._process = process
        self._pace = pace
        self._running: dict[int, Running] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._last = 0
        self._unanswered = 0
        self._ready: asyncio.Future[frames.Ready] = asyncio.get_running_loop().create_future()
        self._idle = asyncio.Event()
        self._idle.set()
        self.rss = 0
        self.ended = asyncio.Event()
        self.began = asyncio.get_running_loop().time()
        self._life = (asyncio.create_task(self._read()), asyncio.create_task(self._watch()))

    @classmethod
    async def start(cls, node: Path, arguments: list[str], environment: Mapping[str, str], pace: Pace) -> Worker:
        """Start the program and wait until it can be asked. Raises WorkerEnded, and OSError when it cannot start."""
        process = await asyncio.create_subprocess_exec(
            node,
            *arguments,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
        worker = cls(process, pace)
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await worker._ready
        except TimeoutError:
            await worker.close()
            raise WorkerEnded("The worker was not ready in time.") from None
        except BaseException:
            await worker.close()
            raise
        _log.info("worker %d performs destinations %s on Node.js %s", process.pid, ready.bundle, ready.node)
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    async def perform(self, line: Callable[[int], bytes], running: Running, *, seconds: float) -> frames.Result | None:
        """Send the line that a number makes, and wait for its result for so long; then cancel it and wait a little.

        Returns None when none came. Raises WorkerEnded.
        """
        if self.ended.is_set():
            raise WorkerEnded("The worker ended.")
        self._last += 1
        id = self._last
        running.until = asyncio.get_running_loop().time() + seconds
        self._running[id] = running
        self._idle.clear()
        try:
            self._send(line(id))
            done, _ = await asyncio.wait([running.result], timeout=seconds)
            if not done:
                self._send(frames.write("cancel", id=id))
                done, _ = await asyncio.wait([running.result], timeout=self._pace.cancelling)
            return running.result.result() if done else None
        except asyncio.CancelledError:
            self._send(frames.write("cancel", id=id))
            raise
        finally:
            del self._running[id]
            if not self._running:
                self._idle.set()
            running.result.cancel()
            await running.turn.aclose()

    async def retire(self, seconds: float) -> None:
        """End it when its last call has ended, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """End the process: it does so when its input ends, and is killed if it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._process.wait()
        self._kill()
        await self.ended.wait()

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                # The library's own would look whether it has ended, and so take the answer from who waits for it.
                os.kill(self._process.pid, signal.SIGKILL)

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(line)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._hear(line)
        except (ValueError, OSError) as error:
            _log.warning("worker %d cannot be understood any more: %s", self.pid, type(error).__name__)
        finally:
            self._kill()
            status = await self._process.wait()
            self._end(status)

    def _hear(self, line: bytes) -> None:
        try:
            frame = frames.read(line)
        except (HeadwaterError, msgspec.ValidationError):
            _log.warning("worker %d wrote a line that is no frame", self.pid)
            return
        self._take(frame)

    def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Fetch():
                self._begin(frame, self._fetch)
            case frames.Result():
                running = self._running.get(frame.id)
                if running is not None and not running.result.done():
                    running.result.set_result(frame)
            case frames.FetchCancel():
                if task := self._tasks.get(frame.id):
                    task.cancel()
            case frames.Lock():
                self._begin(frame, self._lock)
            case frames.Token():
                self._begin(frame, self._save)
            case frames.Pong():
                self._unanswered = 0
                self.rss = frame.rss
            case frames.Log():
                _log.log(logging.ERROR if frame.level == "error" else logging.DEBUG, "worker %d: %s", self.pid, frame.m)
            case frames.Ready():
                if not self._ready.done():
                    self._ready.set_result(frame)

    def _begin(self, frame: Asked, work: Callable[[Asked, Running], Coroutine[Any, Any, None]]) -> None:
        running = self._running.get(frame.d)
        if running is None:
            error = {"code": "ECONNABORTED", "message": "The call has ended."}
            self._send(frames.write("fetched", id=frame.id, error=error))
            return
        task = asyncio.create_task(work(frame, running))
        self._tasks[frame.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(frame.id, None))

    async def _fetch(self, frame: frames.Fetch, running: Running) -> None:
        left = max(running.until - asyncio.get_running_loop().time(), 0.001)
        try:
            response = await running.exchange(fetching.request(frame, left, running.secrets))
            line = fetching.fetched(frame.id, response)
        except NoAnswer as error:
            running.silence = error
            if error.reason in _CANNOT_PASS:
                running.refused = error
            line = fetching.not_fetched(frame.id, error)
        except Exception as error:
            _log.exception("a request of a destination could not be made")
            line = fetching.not_fetched(frame.id, NoAnswer("ECONNABORTED", type(error).__name__))
        self._send(line)

    async def _lock(self, frame: frames.Lock, running: Running) -> None:
        tokens: Tokens = {}
        try:
            await running.turn.aclose()
            if running.hold is not None:
                tokens = await running.turn.enter_async_context(running.hold())
            self._send(frames.write("locked", id=frame.id, tokens=tokens))
            if tokens.get("access_token", "") not in ("", running.access_token):
                running.access_token = tokens["access_token"]
                await running.turn.aclose()
        except Exception as error:
            running.fail(error)

    async def _save(self, frame: frames.Token, running: Running) -> None:
        try:
            running.access_token = frame.tokens.get("access_token", "")
            if running.save is not None:
                await running.save(frame.tokens)
            await running.turn.aclose()
            self._send(frames.write("saved", id=frame.id))
        except Exception as error:
            running.fail(error)

    async def _watch(self) -> None:
        """Ask whether it lives; kill it when it does not say so. Counting pings, a pause of our own kills nobody."""
        await asyncio.wait([self._ready])
        while True:
            await asyncio.sleep(self._pace.ping)
            if self._unanswered >= self._pace.unanswered:
                _log.warning("worker %d does not answer and is killed", self.pid)
                self._kill()
                return
            self._unanswered += 1
            self._send(frames.write("ping", id=0))

    def _end(self, status: int) -> None:
        if self._running:
            _log.warning("worker %d ended (%d) with %d calls under way", self.pid, status, len(self._running))
        ended = WorkerEnded("The worker ended.")
        self.ended.set()
        self._life[1].cancel()
        for task in list(self._tasks.values()):
            task.cancel()
        if not self._ready.done():
            self._ready.set_exception(ended)
        for running in self._running.values():
            running.fail(ended)
