"""Starting and stopping: one process with roles in it, or a supervisor over several.

The supervisor restarts a process that dies, stops all when one dies too fast, and on SIGTERM or SIGINT lets them finish
in walking order. A process whose supervisor is gone stops by itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from headwater.app.house import open_house, prepare
from headwater.app.roles import run
from headwater.app.settings import child_environment
from headwater.spec.errors import HeadwaterError
from headwater.spec.settings import Settings

_log = logging.getLogger("headwater")
_TOO_MANY, _WITHIN_SECONDS = 6, 60.0
_DRAIN_SECONDS = 30.0


def configure_logging(level: str) -> None:
    """Log lines go to standard error, one a line."""
    form = "%(asctime)s %(levelname)-7s %(name)s %(message)s"
    logging.basicConfig(level=level.upper(), format=form, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def serve_roles(settings: Settings, roles: Sequence[str]) -> int:
    """Run roles in this process until SIGTERM or SIGINT. Returns the exit status."""
    configure_logging(settings.log_level)
    prepare(settings)
    failed = False
    try:
        _runner()(_serve(settings, roles))
    except* HeadwaterError as errors:
        failed = True
        for error in errors.exceptions:
            _log.error("%s", error)
    return int(failed)


def _runner() -> Callable[[object], None]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run  # pyright: ignore[reportReturnType] - no uvloop on this platform
    return uvloop.run  # pyright: ignore[reportReturnType] - the same shape, typed for its own loop


async def _serve(settings: Settings, roles: Sequence[str]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with open_house(settings) as house:
        # What is alive now lives until the end; scanning it again costs a large batch three times its decode.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        orphan = asyncio.create_task(_stop_when_orphaned(stopping))
        await run(house, roles, stopping)
        orphan.cancel()


async def _stop_when_orphaned(stopping: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells a process that its parent died
        await asyncio.sleep(0.5)
    _log.warning("The process that started this one is gone; stopping.")
    stopping.set()


class Child:
    """One supervised process."""

    def __init__(self, roles: Sequence[str], command: Sequence[str], environment: dict[str, str]) -> None:
        self.roles = roles
        self._command = [*command, *roles]
        self._environment = environment
        self._starts: deque[float] = deque(maxlen=_TOO_MANY)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start it, or return False when it was started too often of late."""
        now = time.monotonic()
        if len(self._starts) == _TOO_MANY and now - self._starts[0] < _WITHIN_SECONDS:
            return False
        self._starts.append(now)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            self._command, env=self._environment, start_new_session=True
        )
        return True

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def ended(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        """Let it finish what it holds; end it when that takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning("%s did not finish within %.0f s; ending it.", "+".join(self.roles), _DRAIN_SECONDS)
            self._process.kill()
            self._process.wait()


def supervise(
    settings: Settings, groups: Sequence[Sequence[str]], flags: Sequence[str], *, started: Callable[[], None]
) -> int:
    """Run groups of roles, a process each, until SIGTERM or SIGINT. Returns the exit status.

    `flags` are the command line's, for the children to read the same settings. `started` is called once all run.
    """
    configure_logging(settings.log_level)
    metrics = Path(settings.data) / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment = child_environment(PROMETHEUS_MULTIPROC_DIR=str(metrics.absolute()))
    command = [sys.executable, "-m", "headwater", "serve", *flags]
    children = [Child(roles, command, environment) for roles in groups]
    stop_asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: stop_asked.append(signum))
    for child in children:
        child.start()
    started()
    status = _watch(children, stop_asked)
    for child in children:
        child.stop()
    return status


def _watch(children: Sequence[Child], stop_asked: list[int]) -> int:
    while not stop_asked:
        for child in children:
            if (ended := child.ended()) is None:
                continue
            _log.warning("%s ended with status %s; starting it again.", "+".join(child.roles), ended)
            if not child.start():
                _log.error(
                    "%s ended %d times within a minute; stopping. The reason is in the lines above.",
                    "+".join(child.roles),
                    _TOO_MANY,
                )
                return 1
        time.sleep(0.1)
    return 0
