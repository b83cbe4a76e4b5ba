"""Hours in a second: an event loop and a clock that jump to the next moment whenever nothing is under way.

What runs in it is the real thing, with its own settings; only waiting costs nothing. Requests between servers and
clients of the same loop are never jumped over, nor is work in threads. What another process does is, unless it is done
within `standing_still`.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_SOON = 0.2


class SimulatedTime:
    """Stands in for the module `time`. `stride` is the least that a jump takes, in seconds: what is due sooner is late.
    `jumped` is how many seconds were jumped over so far, because everybody waited.

    Waits shorter than a fifth of a second are jumped over exactly all the same: whatever goes step by step is on time.
    """

    def __init__(self) -> None:
        self.stride = 0.0
        self.jumped = 0.0
        self._held = 0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.jumped

    def time_ns(self) -> int:
        """The same in nanoseconds."""
        return time.time_ns() + int(self.jumped * 1e9)

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic() + self.jumped

    def perf_counter(self) -> float:
        """Seconds that a piece of work took, if it did not wait."""
        return time.perf_counter() + self.jumped

    @property
    def still(self) -> bool:
        """Does something go on that cannot be jumped over?"""
        return self._held > 0

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """No jumps while the block runs; real time passes all the same."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def jump(self, seconds: float) -> None:
        """Go on to what is due in so many seconds, or further."""
        self.jumped += seconds if seconds < _SOON else max(seconds, self.stride)


class _Jumping(selectors.DefaultSelector):
    """Jumps instead of waiting."""

    def __init__(self, clock: SimulatedTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self._clock.still:
            return super().select(timeout)
        self._clock.jump(timeout)
        return []


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: SimulatedTime) -> None:
        self._clock = clock
        super().__init__(_Jumping(clock))

    def time(self) -> float:
        return self._clock.monotonic()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """The clock stands still until the thread's work is done."""
        held = self._clock.standing_still()
        held.__enter__()
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: held.__exit__(None, None, None))
        return future


def simulate(scenario: Callable[[SimulatedTime], Coroutine[Any, Any, T]], *rooms: str) -> T:
    """Run a scenario in simulated time. `rooms` are the packages whose modules read the clock from it."""
    clock = SimulatedTime()
    with _read_by(clock, rooms), asyncio.Runner(loop_factory=lambda: _SimulatedLoop(clock)) as runner:
        return runner.run(scenario(clock))


@contextmanager
def _read_by(clock: SimulatedTime, rooms: tuple[str, ...]) -> Generator[None]:
    """Let the modules of the rooms have the clock where they have `time`, until the block ends."""
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(rooms) and name != __name__ and getattr(module, "time", None) is time
    ]
    for module in modules:
        vars(module)["time"] = clock
    try:
        yield
    finally:
        for module in modules:
            vars(module)["time"] = time
