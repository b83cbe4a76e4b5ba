"""The supervisor: starts the processes of the house, and starts again what dies.

A process that ends by itself (status 0) is started again at once: it rested. One that dies young again and again is
started ever more rarely, while the others go on; after eight times in a row all are stopped, so that whoever started
the house sees it. SIGTERM and SIGINT let all finish in walking order. The supervisor imports next to nothing, because
it stays for as long as the house runs.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headwater.app.settings import child_environment
from headwater.app.shapes import FirstStart
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

_log = logging.getLogger("headwater")
_STEADY_SECONDS = 60.0
_LONGEST_WAIT = 30.0
_HOPELESS = 8
_DRAIN_SECONDS = 30.0
COMMAND = (sys.executable, "-m", "headwater.app.child")


def configure_logging(level: str) -> None:
    """Log lines go to standard error, one a line."""
    form = "%(asctime)s %(levelname)-7s %(name)s %(message)s"
    logging.basicConfig(level=level.upper(), format=form, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Child:
    """One supervised process."""

    def __init__(
        self, roles: Sequence[str], settings: Settings, environment: dict[str, str], *, lock: int | None = None
    ) -> None:
        """`lock` is a handle that it inherits."""
        self.roles = roles
        self.name = "+".join(roles)
        self._settings = msgspec.json.encode(settings)
        self._environment = environment
        self._inherits = () if lock is None else (lock,)
        self._started = 0.0
        self._due = 0.0
        self._crashes = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*COMMAND, *self.roles],
            stdin=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
            pass_fds=self._inherits,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(self._settings)

    def tend(self) -> bool:
        """Start it again when it ended, later and later if it keeps dying. False when that is hopeless."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return True
            self._process = None
            self._note(status)
        if self._crashes > _HOPELESS:
            return False
        if time.monotonic() >= self._due:
            self.start()
        return True

    def _note(self, status: int) -> None:
        now = time.monotonic()
        if status == 0:
            self._due = now
            return
        self._crashes = self._crashes + 1 if now - self._started < _STEADY_SECONDS else 1
        wait = min(_LONGEST_WAIT, 2.0 ** (self._crashes - 1) - 1)
        self._due = now + wait
        _log.warning("%s ended with status %s; starting it again in %.0f s.", self.name, status, wait)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def stop(self) -> None:
        """Let it finish what it holds; end it when that takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning("%s did not finish within %.0f s; ending it.", self.name, _DRAIN_SECONDS)
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


def supervise(
    settings: Settings, groups: Sequence[Sequence[str]], *, started: Callable[[], None], lock: int | None = None
) -> int:
    """Run groups of roles, a process each, until SIGTERM or SIGINT. Returns the exit status.

    `started` is called once all processes were started. They all inherit `lock`, so that the data folder is not free
    before the last of them has ended, however this one ends.
    """
    configure_logging(settings.log_level)
    metrics = Path(settings.data) / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment = child_environment(PROMETHEUS_MULTIPROC_DIR=str(metrics.absolute()))
    children = [Child(roles, settings, environment, lock=lock) for roles in groups]
    stop_asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: stop_asked.append(signum))
    for child in children:
        child.start()
    started()
    status = 0
    while not stop_asked and status == 0:
        for child in children:
            if not child.tend():
                _log.error("%s keeps dying; stopping. The reason is in the lines above.", child.name)
                status = 1
        time.sleep(0.1)
    for child in children:
        child.stop()
    return status
