"""A PostgreSQL server for tests: private, on the loopback address, gone when the block ends.

It is a real server from the machine's own packages, and can be stopped, killed and started again with what it had
stored. As root the server runs as another user, since PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

WHY_NOT: Final = "PostgreSQL's server is not installed (looked on the path and under /usr/lib/postgresql)."
_PROGRAMS: Final = ("initdb", "postgres", "createdb", "dropdb")
_PLACES: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")


def binaries() -> Path | None:
    """The folder that holds PostgreSQL's programs; None when there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(_PLACES.glob("*/bin"), reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in _PROGRAMS)), None)


class PostgresServer:
    """A server that can be stopped and started again on the same port, with what it had stored."""

    def __init__(self, programs: Path, data: Path, user: pwd.struct_passwd | None) -> None:
        self._programs = programs
        self._data = data
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._root = f"postgresql://headwater@127.0.0.1:{self.port}"
        self.url = f"{self._root}/headwater"

    def lay(self) -> None:
        """Make its files."""
        options = ("-U", "headwater", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-D", self._data, *options)

    def make(self, database: str, *, template: str = "template1") -> str:
        """Make a database, as a copy of another one when `template` names it, and return its URL."""
        place = ("-h", "127.0.0.1", "-p", self.port, "-U", "headwater")
        self._run("createdb", *place, "-T", template, database)
        return f"{self._root}/{database}"

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected."""
        place = ("-h", "127.0.0.1", "-p", self.port, "-U", "headwater")
        self._run("dropdb", *place, "--if-exists", "--force", database)

    def start(self, *, seconds: float = 60.0) -> None:
        """Start it, and wait until it serves. Raises RuntimeError when it ends or the time is up."""
        if self._process is not None:
            return
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._data), "-F"]
        sizes = ["-c", "shared_buffers=32MB", "-c", "max_connections=200"]
        with (self._data / "log").open("ab") as log:
            self._process = _open(
                self._programs / "postgres", "-D", self._data, *options, *sizes, user=self._user, log=log
            )
        deadline = time.monotonic() + seconds
        while not self._ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._data / 'log').read_text(errors='replace')}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order: connections are cut, what was committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once (SIGKILL), with every process of its connections."""
        self._end(signal.SIGKILL)

    def end(self) -> None:
        """End it for good, as fast as can be."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        of_connections = _children(process.pid)
        process.send_signal(how)
        if how is signal.SIGKILL:
            for each in of_connections:
                with suppress(ProcessLookupError):
                    os.kill(each, how)
        process.wait()

    def _ready(self, pid: int) -> bool:
        """Does the server's own file say that it takes connections? It names its process first and its state last."""
        with suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text().split("\n")
            return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"
        return False

    def _run(self, program: str, *arguments: object) -> None:
        _run(self._programs / program, *arguments, user=self._user)


@contextmanager
def postgres(folder: Path) -> Generator[PostgresServer | None]:
    """A running server with an empty database, as an object that can be stopped, killed and started again.

    `folder` takes its files, except for root, whose folders the server's user may not enter. Gives None where
    PostgreSQL is not installed; WHY_NOT is the sentence for the skip.
    """
    programs = binaries()
    if programs is None:
        yield None
        return
    user = _user()
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="headwater-postgres-", dir=folder.absolute() if user is None else None))
    server = PostgresServer(programs, data, user)
    try:
        if user is not None:
            os.chown(data, user.pw_uid, user.pw_gid)
        server.lay()
        server.start()
        server.make("headwater")
        yield server
    finally:
        server.end()
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def postgres_server(folder: Path) -> Generator[str | None]:
    """A running server with an empty database, as a URL like `postgresql://headwater@127.0.0.1:5433/headwater`.

    Otherwise as `postgres`.
    """
    with postgres(folder) as server:
        yield None if server is None else server.url


def _user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL cannot run as root, and there is no other user to run it as.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    """The processes that a process started, where the system tells."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _open(program: Path, *arguments: object, user: pwd.struct_passwd | None, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        cwd="/",
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else (),
    )


def _run(program: Path, *arguments: object, user: pwd.struct_passwd | None) -> None:
    with tempfile.TemporaryFile() as output:
        process = _open(program, *arguments, user=user, log=output)
        if process.wait():
            output.seek(0)
            raise RuntimeError(f"{program.name} failed: {output.read().decode(errors='replace').strip()}")
