"""A whole house as a test double: the real program in its own processes, on free ports, in a folder of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from headwater.app.settings import child_environment
from headwater.app.shapes import ROLE_NAMES
from headwater.contracts import shape
from headwater.spec.wire import JSON

WRITE_KEY = "a-write-key-for-tests"
CHILD = "headwater.app.child"
TOKEN = "hw_a_token_for_tests"
IN_ONE_PROCESS: Final = ROLE_NAMES
"""Arguments of `running_house` where several processes prove nothing more: one starts in half the time."""


class RunningHouse:
    """A house that runs. Its methods speak HTTP, as everybody else would."""

    def __init__(self, folder: Path, collect_port: int, manage_port: int, log_file: Path) -> None:
        self.folder = folder
        self.collect_url = f"http://127.0.0.1:{collect_port}"
        self.manage_url = f"http://127.0.0.1:{manage_port}"
        self.write_key = WRITE_KEY
        self.token = TOKEN
        self.log_file = log_file
        self.process: subprocess.Popen[bytes] | None = None

    def send(self, path: str, body: Any, *, write_key: str | None = None) -> tuple[int, JSON]:
        """POST to the tracking API; `body` is JSON or bytes. Returns the status and the answer."""
        key = base64.b64encode(f"{write_key or self.write_key}:".encode()).decode()
        return _request("POST", self.collect_url + path, body, {"Authorization": f"Basic {key}"})

    def ask(self, method: str, path: str, body: Any = None) -> JSON:
        """Call the management API with the admin token and return `data`. Raises AssertionError on an error."""
        status, answer = _request(method, self.manage_url + path, body, {"Authorization": f"Bearer {self.token}"})
        assert status < 300, (status, answer)
        return answer["data"]

    def source_id(self) -> str:
        """The id of the first source."""
        return self.ask("GET", "/sources")["sources"][0]["id"]

    def connect(self, definition: str, settings: dict[str, JSON], *, name: str | None = None) -> str:
        """Connect an enabled destination to the first source and return its id."""
        body = {"sourceId": self.source_id(), "metadataId": definition, "settings": settings, "enabled": True}
        return self.ask("POST", "/destinations", body | ({"name": name} if name else {}))["destination"]["id"]

    def query(self, sql: str) -> list[list[JSON]]:
        """Rows of an SQL query. Raises AssertionError when there are more than a query may return."""
        answer = self.ask("POST", "/headwater/query", {"sql": sql})
        assert not answer["truncated"], "the house cut the answer; allow more with warehouse.query_rows"
        return answer["rows"]

    def children(self) -> dict[int, str]:
        """The process ids of the house's processes below its supervisor, with their roles."""
        assert self.process is not None
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.process.pid and CHILD in words:
                found[int(entry.name)] = "+".join(word for word in words[words.index(CHILD) + 1 :] if word)
        return found

    def output(self) -> str:
        """What the house printed so far."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> int:
        """Ask the house to finish and wait until it has. Returns its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def until(condition: Callable[[], Any], *, seconds: float = 30.0, what: str = "") -> Any:
    """Wait for a condition and return its value. Raises AssertionError when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain {what or condition}; last: {value!r}"
        time.sleep(0.05)


@contextmanager
def running_house(folder: Path, *arguments: str, **environment: str) -> Generator[RunningHouse]:
    """Run `headwater serve` in a folder until the block ends.

    `environment` names settings as the environment does, without the prefix: `DELIVER_ALLOWED_ADDRESSES="127.0.0.1"`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    collect_port, manage_port = free_port(), free_port()
    house = RunningHouse(folder, collect_port, manage_port, folder / "house.log")
    known = (
        {
            "DATA": str(folder / "data"),
            "COLLECT_PORT": str(collect_port),
            "MANAGE_PORT": str(manage_port),
            "WRITE_KEY": WRITE_KEY,
            "ADMIN_TOKEN": TOKEN,
            "DELIVER_ALLOWED_ADDRESSES": "127.0.0.0/8",
            "WAREHOUSE_LOAD_EVERY_SECONDS": "2",
            "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "2",
        }
        | shape.house_settings(folder / "data")
        | environment
    )
    variables = child_environment(**{f"HEADWATER_{name}": value for name, value in known.items()})
    try:
        start(house, *arguments, variables=variables)
        yield house
    finally:
        if house.process is not None:
            house.stop()


def start(house: RunningHouse, *arguments: str, variables: dict[str, str]) -> None:
    """Start the house's program and wait until both ports answer."""
    with house.log_file.open("ab") as output:
        house.process = subprocess.Popen(
            [sys.executable, "-m", "headwater", "serve", *arguments],
            env=variables,
            cwd=house.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    process = house.process

    def ready() -> bool:
        assert process.poll() is None, f"the house ended:\n{house.output()}"
        return healthy(house.collect_url) and healthy(house.manage_url)

    until(ready, seconds=40, what="for the house to start")


def healthy(url: str) -> bool:
    """Does a port of the house answer that it is well?"""
    try:
        return _request("GET", url + "/health", None, {})[0] == 200
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kill(pid: int) -> None:
    """End a process of the house at once."""
    os.kill(pid, signal.SIGKILL)


def _request(method: str, url: str, body: Any, headers: dict[str, str]) -> tuple[int, JSON]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers | {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, _json(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _json(error.read())
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error


def _json(text: bytes) -> JSON:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
