"""Running roles in this process, until told to stop.

The first SIGTERM or SIGINT lets them finish what they hold and give their partitions back, for GRACE_SECONDS at most; a
second one ends the process where it stands. What was not finished then, whoever takes over does again.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from headwater.app.health import Wellness, serve_health
from headwater.app.house import require_keys
from headwater.app.roles import run
from headwater.app.shapes import FirstStart
from headwater.app.supervise import configure_logging
from headwater.app.waiting import enter_patiently, knock_patiently, prepare_patiently
from headwater.eventlog import EventLog
from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import HeadwaterError
from headwater.spec.settings import Settings

_log = logging.getLogger("headwater")
GRACE_SECONDS = 25.0
"""Longer than collect gives requests to end; shorter than what containers are given after SIGTERM (30 s)."""

_REST_SECONDS = 30.0
_LAST_SECONDS = 3.0
_HAND_OVER_SECONDS = 0.001
_NICENESS = 5


def serve_roles(
    settings: Settings,
    roles: Sequence[str],
    *,
    supervised: bool = False,
    show: Callable[[FirstStart], None] = lambda first: None,
) -> int:
    """Run roles in this process until SIGTERM or SIGINT. Returns the exit status.

    A process that is `supervised` may end by itself to be started afresh. `show` is given what the first start made,
    if this is the first.
    """
    configure_logging(settings.log_level)
    failed = False
    try:
        _runner()(_serve(settings, roles, show, supervised=supervised))
    except* HeadwaterError as errors:
        failed = True
        for error in errors.exceptions:
            _log.error("%s", error)
    return int(failed)


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run
    return uvloop.run


async def _serve(
    settings: Settings, roles: Sequence[str], show: Callable[[FirstStart], None], *, supervised: bool
) -> None:
    try:
        await _serve_until_told(settings, roles, show, supervised=supervised)
    finally:
        await end_all_others(_LAST_SECONDS)


async def end_all_others(seconds: float) -> None:
    """Cancel the tasks that are left, and go on without those that have not ended after so many seconds.

    One that waits for a server that is gone, such as a browser's socket that was being closed, hears no cancellation:
    the loop would wait for it for ever.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        _, left = await asyncio.wait(others, timeout=seconds)
        for task in left:
            _log.debug("left behind: %r", task)
            asyncio._unregister_task(task)  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


async def _serve_until_told(
    settings: Settings, roles: Sequence[str], show: Callable[[FirstStart], None], *, supervised: bool
) -> None:
    stopping = asyncio.Event()
    _listen_for_signals(stopping)
    async with AsyncExitStack() as stack:
        wellness = Wellness(roles, stopping)
        if settings.health_port and not supervised:
            await stack.enter_async_context(serve_health(wellness, settings.health_host, settings.health_port))
        first = await prepare_patiently(settings, stopping)
        if first is not None:
            show(first)
        require_keys(settings, roles)
        spilling = list(roles) == ["collect"] and settings.log.spill_bytes > 0
        await knock_patiently(settings, stopping, needed=not spilling)
        house = await enter_patiently(stack, settings, stopping)
        if house is None:
            return
        wellness.opened(house)
        _keep_pauses_short(roles)
        watches: list[asyncio.Task[None]] = []
        if supervised:
            watches.append(asyncio.create_task(_stop_when_orphaned(stopping)))
        if supervised and list(roles) == ["warehouse"]:
            watches.append(asyncio.create_task(_rest(house.log, stopping)))
        await run(house, roles, stopping, wellness.begun)
        for watch in watches:
            watch.cancel()


def _listen_for_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def end(status: int, why: str) -> None:
        _log.warning("%s; what was at hand is done again at the next start.", why)
        logging.shutdown()
        os._exit(status)

    def told(number: int) -> None:
        if stopping.is_set():
            end(128 + number, "Told to stop a second time, ending at once")
        stopping.set()
        loop.call_later(GRACE_SECONDS, end, 1, f"Not finished within {GRACE_SECONDS:.0f} s")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)


def _keep_pauses_short(roles: Sequence[str]) -> None:
    """Let nothing hold up events that need not. What is alive now lives until the end: scanning it again costs a large
    batch three times its decode. A thread that works in the store hands the interpreter over soon, and loads of
    warehouses take the processor that nobody else wants.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    sys.setswitchinterval(_HAND_OVER_SECONDS)
    if list(roles) == ["warehouse"] and sys.platform != "win32":
        os.nice(_NICENESS)


async def _rest(log: EventLog, stopping: asyncio.Event) -> None:
    """Stop after a quiet while, to be started afresh: the libraries of a load hold memory that nothing gives back."""
    ends: list[int] = []
    while True:
        await asyncio.sleep(_REST_SECONDS)
        if "pyarrow" not in sys.modules:
            continue
        before, ends = ends, [(await log.bounds(PROCESSED, number))[1] for number in log.partitions(PROCESSED)]
        if ends == before:
            stopping.set()
            return


async def _stop_when_orphaned(stopping: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells a process that its parent died
        await asyncio.sleep(0.5)
    _log.warning("The process that started this one is gone; stopping.")
    stopping.set()
