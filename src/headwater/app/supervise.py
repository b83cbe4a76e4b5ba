"""The supervisor: starts the processes of the house, and starts again what dies.

It stops all when one dies too fast, and on SIGTERM or SIGINT lets them finish in walking order. It imports next to
nothing, because it stays for as long as the house runs.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headwater.app.settings import child_environment
from headwater.app.shapes import FirstStart
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

_log = logging.getLogger("headwater")
_TOO_MANY, _WITHIN_SECONDS = 6, 60.0
_DRAIN_SECONDS = 30.0
COMMAND = (sys.executable, "-m", "headwater.app.child")


def configure_logging(level: str) -> None:
    """Log lines go to standard error, one a line."""
    form = "%(asctime)s %(levelname)-7s %(name)s %(message)s"
    logging.basicConfig(level=level.upper(), format=form, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Child:
    """One supervised process."""

    def __init__(self, roles: Sequence[str], settings: Settings, environment: dict[str, str]) -> None:
        self.roles = roles
        self._settings = msgspec.json.encode(settings)
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
            [*COMMAND, *self.roles], stdin=subprocess.PIPE, env=self._environment, start_new_session=True
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(self._settings)
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


def prepare_apart(settings: Settings) -> FirstStart | None:
    """Make what the first start needs, in a process of its own, so that this one stays small.

    Raises SetupError with the reason when the house cannot be prepared.
    """
    done = subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, "prepare"],
        input=msgspec.json.encode(settings),
        env=child_environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SetupError(done.stderr.decode(errors="replace").strip() or "The house could not be prepared.")
    return msgspec.json.decode(done.stdout, type=FirstStart | None)


def supervise(settings: Settings, groups: Sequence[Sequence[str]], *, started: Callable[[], None]) -> int:
    """Run groups of roles, a process each, until SIGTERM or SIGINT. Returns the exit status.

    `started` is called once all processes were started.
    """
    configure_logging(settings.log_level)
    metrics = Path(settings.data) / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment = child_environment(PROMETHEUS_MULTIPROC_DIR=str(metrics.absolute()))
    children = [Child(roles, settings, environment) for roles in groups]
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
