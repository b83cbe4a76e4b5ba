"""A PostgreSQL server for tests: private, on the loopback address, gone when the block ends.

It is a real server from the machine's own packages. As root the server runs as another user, since PostgreSQL refuses
to run as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

WHY_NOT: Final = "PostgreSQL's server is not installed (looked on the path and under /usr/lib/postgresql)."
_PROGRAMS: Final = ("initdb", "pg_ctl", "createdb")
_PLACES: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")


def binaries() -> Path | None:
    """The folder that holds PostgreSQL's programs; None when there is none."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(_PLACES.glob("*/bin"), reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in _PROGRAMS)), None)


@contextmanager
def postgres_server(folder: Path) -> Generator[str | None]:
    """A running server with an empty database, as a URL like `postgresql://headwater@127.0.0.1:5433/headwater`.

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
    try:
        if user is not None:
            os.chown(data, user.pw_uid, user.pw_gid)
        with _running(programs, data, user) as url:
            yield url
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def _running(programs: Path, data: Path, user: pwd.struct_passwd | None) -> Generator[str]:
    _run(programs / "initdb", "-D", data, "-U", "headwater", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", user=user)
    port = _free_port()
    options = f"-h 127.0.0.1 -p {port} -k {data} -F -c shared_buffers=32MB -c max_connections=40"
    _run(programs / "pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start", user=user)
    try:
        _run(programs / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "headwater", "headwater", user=user)
        yield f"postgresql://headwater@127.0.0.1:{port}/headwater"
    finally:
        _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", user=user)


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


def _run(program: Path, *arguments: object, user: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd="/",
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else (),
    )
    if done.returncode:
        raise RuntimeError(f"{program.name} failed: {done.stderr.strip()}")
