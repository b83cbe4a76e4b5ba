"""A newcomer's first minutes: start the house, send an event, see it delivered, ask for it, stop."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

SECONDS = 60.0


class Program:
    """A `headwater` command that runs on: its lines can be waited for."""

    def __init__(self, folder: Path, *words: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headwater", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_hear_interrupts,
        )
        self.seen: list[str] = []
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, pattern: str) -> re.Match[str]:
        """The first line from here on in which the pattern is found."""
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except Empty:
                raise AssertionError(f"no line with {pattern!r} in:\n{''.join(self.seen)}") from None
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)


def _hear_interrupts() -> None:
    """Whatever a shell runs in its background is born deaf to Ctrl-C, and so would its children be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for one in reversed(started):
        one.stop()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def ask(folder: Path, *words: str) -> Any:
    """What a command answers with --json."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    command = [sys.executable, "-m", "headwater", *words, "--json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_curl(line: str) -> Any:
    """What the printed curl line asks for, asked from here."""
    words = shlex.split(line)
    options = {name: words[words.index(name) + 1] for name in ("-u", "-H", "-d")}
    url = next(word for word in words if word.startswith("http"))
    name, _, value = options["-H"].partition(": ")
    credentials = base64.b64encode(options["-u"].encode()).decode()
    headers = {name: value, "Authorization": f"Basic {credentials}"}
    request = urllib.request.Request(url, options["-d"].encode(), headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.loads(answer.read())


def test_a_newcomer_sees_an_event_delivered_traced_and_queried(tmp_path: Path, programs: list[Program]) -> None:
    collect, manage = free_ports(2)
    settings = {
        "collect.port": collect,
        "manage.port": manage,
        "deliver.allowed_addresses": "127.0.0.1/32",
        "warehouse.load_every_seconds": 1,
        "warehouse.archive_every_seconds": 1,
    }
    house = Program(
        tmp_path, "serve", *(word for pair in settings.items() for word in ("--set", "=".join(map(str, pair))))
    )
    programs.append(house)
    token = house.until(r"Admin token +(hw_\w+)")[1]
    curl = house.until(r"curl .*")[0].rstrip("\\\n ") + house.until(r".*-d .*")[0]
    house.until("headwater tail")
    assert (tmp_path / "data" / "cli.json").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "data" / "cli.json").read_text())["token"] == token

    catch = Program(tmp_path, "catch", "--port", "0", "--json")
    programs.append(catch)
    hook = catch.until(r"Listening on (http://[\d.:]+)")[1]
    source = ask(tmp_path, "list-sources")["sources"][0]
    made = ask(
        tmp_path,
        "create-destination",
        *("--source-id", source["id"], "--metadata-id", "webhook", "--settings", f"url={hook}/hook"),
    )["destination"]
    assert made["settings"]["url"] == f"{hook}/hook"

    tail = Program(tmp_path, "tail", "--json", "--from", "start")
    programs.append(tail)
    assert run_curl(curl) == {"success": True}
    tailed = json.loads(tail.until(r'^\{.*"kind":"event".*')[0])
    assert tailed["name"] == "Order Completed"
    caught = json.loads(catch.until(r"^\{.*")[0])
    assert (caught["path"], caught["body"]["event"], caught["status"]) == ("/hook", "Order Completed", 200)

    trace = ask(tmp_path, "trace", tailed["messageId"], "--wait", "20")
    assert [(one["destinationId"], one["state"]) for one in trace["destinations"]] == [(made["id"], "delivered")]
    rows = ask(tmp_path, "query", "SELECT event, count(*) FROM events GROUP BY 1")["rows"]
    assert rows == [["Order Completed", 1]]
    sent = ask(tmp_path, "send", "track", "Second", "--user", "u2", "--property", "n=2")
    assert json.loads(catch.until(r"^\{.*")[0])["body"]["messageId"] == sent["messageId"]
    replayed = ask(tmp_path, "replay", "--event", "Second", "--yes")
    assert (replayed["replay"]["state"], replayed["replay"]["sent"]) == ("ended", 1)
    again = json.loads(catch.until(r"^\{.*")[0])["body"]
    assert (again["messageId"], again["integrations"]) == (sent["messageId"], {"All": False, "Webhook": True})
    assert ask(tmp_path, "replay", "--user", "u2", "--dry-run")["found"] == 1
    assert {
        one["status"]
        for one in ask(tmp_path, "doctor", "--set", f"collect.port={collect}", "--set", f"manage.port={manage}")
    } <= {"ok", "warn"}

    assert tail.stop(signal.SIGINT) == 130
    assert catch.stop(signal.SIGINT) == 130
    assert house.stop() == 0
