"""Drives wrk, or a plain client where it is not installed, against one process of a benchmark."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import report

AUTHORIZATION = "Basic YmVuY2htYXJrOg=="
CONNECTIONS = 256


@contextmanager
def process(kind: str) -> Generator[tuple[int, int]]:
    """Run one kind of process (`echo`, `memory`, `sqlite`); gives its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.collecting.role", kind, f"{folder}/log"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            yield int(child.stdout.readline()), child.pid
        finally:
            child.kill()
            child.wait()


def drive(port: int, pid: int, path: str, body: bytes | list[bytes], seconds: float) -> dict[str, float]:
    """Load one path, with several bodies in turn; requests a second, and the process's CPU time a request in
    microseconds. Bodies hold no line breaks.
    """
    load = _wrk if shutil.which("wrk") else _plain
    before = _cpu_seconds(pid)
    requests, took, errors = load(port, path, body if isinstance(body, list) else [body], seconds)
    assert not errors, f"{errors} requests were not answered 200"
    return {"rate": requests / took, "cpu_us": (_cpu_seconds(pid) - before) / max(requests, 1) * 1e6}


def compare(name: str, path: str, body: bytes, events: int, *, target: str, rounds: int = 5) -> None:
    """Measure echo and collect in turns, so that both meet the same neighbours, and report their best rounds.

    CPU time is of the server alone; it tells more than rates do on a machine that others use too.
    """
    found: dict[str, list[dict[str, float]]] = {"echo": [], "sqlite": []}
    for _ in range(rounds):
        for kind, results in found.items():
            with process(kind) as (port, pid):
                drive(port, pid, path, body, 1.0)
                results.append(drive(port, pid, path, body, 3.0))
    rates = {kind: max(result["rate"] for result in results) for kind, results in found.items()}
    cpu = {kind: min(result["cpu_us"] for result in results) for kind, results in found.items()}
    figures = {
        "body, bytes": len(body),
        "connections": CONNECTIONS,
        "echo, requests/s": round(rates["echo"]),
        "collect, requests/s": round(rates["sqlite"]),
        "collect, events/s": round(rates["sqlite"] * events),
        "ratio of the best rounds": rates["sqlite"] / rates["echo"],
        "ratio of the medians": _median(found["sqlite"]) / _median(found["echo"]),
        "echo, CPU us/request": cpu["echo"],
        "collect, CPU us/request": cpu["sqlite"],
    }
    report(name, figures, target=target)


def _median(results: list[dict[str, float]]) -> float:
    return sorted(result["rate"] for result in results)[len(results) // 2]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_IN_TURN = """
local requests, number = {}, 0
function init(arguments)
  for line in io.lines("%s") do requests[#requests + 1] = wrk.format(nil, nil, nil, line) end
end
function request() number = number %% #requests + 1; return requests[number] end
"""


def _wrk(port: int, path: str, bodies: list[bytes], seconds: float) -> tuple[int, float, int]:
    with tempfile.TemporaryDirectory() as folder:
        payload, script = Path(folder, "body"), Path(folder, "load.lua")
        payload.write_bytes(b"\n".join(bodies))
        script.write_text(
            f'local f = io.open("{payload}", "rb"); wrk.body = f:read("*a"); f:close()\n'
            'wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json"\n'
            f'wrk.headers["Authorization"] = "{AUTHORIZATION}"\n'
            + (_IN_TURN % payload if len(bodies) > 1 else "")
            + "function done(s, l, r)\n"
            '  io.write(string.format("RESULT %d %d %d\\n", s.requests, s.duration, s.errors.status))\nend\n'
        )
        url = f"http://127.0.0.1:{port}{path}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(round(seconds), 1)}s", "-s", str(script), url]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+)", output)
    assert found is not None, output
    return int(found[1]), int(found[2]) / 1e6, int(found[3])


def _plain(port: int, path: str, bodies: list[bytes], seconds: float) -> tuple[int, float, int]:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ).encode()
    requests = itertools.cycle([head % len(body) + body for body in bodies])

    async def one(until: float) -> tuple[int, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = errors = 0
        while time.perf_counter() < until:
            writer.write(next(requests))
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer)
            await reader.readexactly(int(length[1]) if length else 0)
            done += 1
            errors += not answer.startswith(b"HTTP/1.1 200")
        writer.close()
        return done, errors

    async def every() -> list[tuple[int, int]]:
        until = time.perf_counter() + seconds
        return await asyncio.gather(*(one(until) for _ in range(CONNECTIONS)))

    started = time.perf_counter()
    results = asyncio.run(every())
    return sum(done for done, _ in results), time.perf_counter() - started, sum(errors for _, errors in results)
