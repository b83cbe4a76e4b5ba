"""The supervisor: starts the processes of the house, and starts again what dies.

A process that ends by itself (status 0) is started again at once: it rested. One that dies young again and again is
started ever more rarely, while the others go on; after eight times in a row all are stopped, so that whoever started
the house sees it. SIGTERM and SIGINT let all finish in walking order; a second one ends all at once. The supervisor
imports next to nothing, because it stays for as long as the house runs.
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
from headwater.app.shapes import AWAY, FirstStart
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

    def stop(self, impatient: Callable[[], bool]) -> None:
        """Let it finish what it holds; end it when that takes too long, or whoever waits is `impatient`."""
        if self._process is None or self._process.poll() is not None:
            return
        if not impatient():
            self._process.terminate()
        until = time.monotonic() + _DRAIN_SECONDS
        while self._process.poll() is None:
            if impatient() or time.monotonic() > until:
                _log.warning("%s did not finish in time; ending it.", self.name)
                self._process.kill()
                self._process.wait()
                return
            time.sleep(0.05)


def prepare_apart(settings: Settings) -> FirstStart | None:
    """Make what the first start needs, in a process of its own, so that this one stays small.

    A store on a server that is away is waited for. Raises SetupError with the reason when the house cannot be prepared.
    """
    configure_logging(settings.log_level)
    said = ""
    while True:
        done = subprocess.run(  # noqa: S603 - our own program
            [*COMMAND, "prepare"],
            input=msgspec.json.encode(settings),
            env=child_environment(),
            capture_output=True,
            check=False,
        )
        if not done.returncode:
            return msgspec.json.decode(done.stdout, type=FirstStart | None)
        reason = done.stderr.decode(errors="replace").strip()
        if done.returncode != AWAY or not settings.store.url:
            raise SetupError(reason or "The house could not be prepared.")
        if reason != said:
            said = reason
            _log.warning("Waiting: %s", reason)
        time.sleep(1.0)


def supervise(
    settings: Settings,
    groups: Sequence[Sequence[str]],
    *,
    started: Callable[[], None],
    lock: int | None = None,
    collectors: int = 1,
) -> int:
    """Run groups of roles, a process each, until SIGTERM or SIGINT. Returns the exit status.

    That of collect runs in so many processes, which share its port. `started` is called once all processes were
    started. They all inherit `lock`, so that the data folder is not free before the last of them has ended, however
    this one ends.
    """
    configure_logging(settings.log_level)
    metrics = Path(settings.data) / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment = child_environment(PROMETHEUS_MULTIPROC_DIR=str(metrics.absolute()))
    children = [
        Child(roles, _of_its_own(settings, number), environment, lock=lock)
        for roles in groups
        for number in range(collectors if tuple(roles) == ("collect",) else 1)
    ]
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
        child.stop(lambda: len(stop_asked) > 1)
    return status


def _of_its_own(settings: Settings, number: int) -> Settings:
    """The settings of one of several collectors: what it keeps while Kafka is away is its own, and so is its name."""
    if number == 0 or not settings.log.url:
        return settings
    data = Path(settings.data)
    log = settings.log
    return msgspec.structs.replace(
        settings,
        data=str(data / f"collect-{number}"),
        key_file=settings.key_file or str((data / "secret.key").absolute()),
        log=msgspec.structs.replace(log, instance=f"{log.instance}-{number}" if log.instance else ""),
    )
