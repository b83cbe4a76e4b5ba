"""How fast the Profile API answers for a profile's traits by an identifier, beside a bare echo of the same run.

Profiles with ten traits and two identifiers each lie in the store of a real house (`HEADWATER_BENCH_PROFILES`, 10,000
unless given); kept-alive connections ask for any of them at once. The echo is the smallest Litestar route on Granian.
Beside the rates stands the time on processors that a request costs whoever answers it, which hardly depends on what
else the machine does; the client's is not in it.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, get

from benchmarks.report import quantile, report
from headwater.contracts.house import RunningHouse, free_port, running_house, until
from headwater.contracts.space import RunningSpace
from headwater.profiles.known import Mark, Told, encode, fold
from headwater.spec.graph import Cause, Changes, Link, NewProfile, make_id
from headwater.store import Store, graph, known

# Taken out of the environment, which the house would read as its settings.
PROFILES = int(os.environ.pop("HEADWATER_BENCH_PROFILES", "10000"))
REQUESTS = int(os.environ.pop("HEADWATER_BENCH_REQUESTS", "3000"))
CONNECTIONS = 32
AT = 1_750_000_000_000
CAUSE = Cause("m", "identify", "", "s", AT)
PAGE = 10_000


def fill(store: Store, space_id: str) -> None:
    """People with a user id, an e-mail and ten traits each."""
    for first in range(0, PROFILES, PAGE):
        changes, states = Changes(), dict[str, bytes]()
        for person in range(first, min(first + PAGE, PROFILES)):
            id = make_id("use_", AT, f"person {person}")
            changes.profiles.append(NewProfile(id, "users", AT))
            changes.links += [
                Link(f"user_id:user-{person}", id, CAUSE),
                Link(f"email:user-{person}@shop.example", id, CAUSE),
            ]
            traits = {f"trait_{number}": b'"a value of %d"' % (person * number) for number in range(10)}
            states[id] = encode(fold(None, Told(Mark(AT, AT, person, f"m{person}", "s"), "", traits)))

        def write(connection: object, changes: Changes = changes, states: dict[str, bytes] = states) -> None:
            graph.write(connection, space_id, changes)  # type: ignore[arg-type]
            known.write(connection, 0, states)  # type: ignore[arg-type]

        store.run(write)


class Asked(msgspec.Struct, frozen=True):
    """What a run came to: requests a second, how long each took (ms), and what each cost who answered (us)."""

    rate: float
    took: list[float]
    cost: float


def spent(pid: int) -> float:
    """The seconds that a process has had on processors, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(urls: list[str], headers: dict[str, str], pid: int) -> Asked:
    """Ask a process for each of these. Raises AssertionError on any answer but 200 with a body."""
    took: list[float] = []
    before = spent(pid)
    waiting = iter(urls)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), headers=headers) as session:

        async def work() -> None:
            for url in waiting:
                started = time.perf_counter()
                async with session.get(url) as answer:
                    body = await answer.read()
                assert answer.status == 200, (answer.status, body)
                assert body
                took.append((time.perf_counter() - started) * 1_000)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        rate = len(took) / (time.perf_counter() - started)
    return Asked(rate, took, (spent(pid) - before) / len(took) * 1_000_000)


@contextmanager
def running_echo() -> Generator[tuple[str, int]]:
    """The address of a bare route in a process of its own, and that process."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.profile_api", "echo", str(port)])
    try:
        house = RunningHouse(Path(), port, port, Path())
        until(lambda: _answers(house), what="for the echo")
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.kill()
        process.wait()


def _answers(house: RunningHouse) -> bool:
    try:
        return house.send("/", b"")[0] > 0
    except OSError:
        return False


@get("/")
async def echo() -> dict[str, str]:
    return {"trait": "a value"}


async def serve(port: int) -> None:
    server = Server(
        Litestar([echo]), address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False
    )
    await server.serve()


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="headwater-") as folder,
        running_house(Path(folder), PROFILES_REQUESTS_PER_SECOND="0") as house,
        running_echo() as (bare, echo_pid),
    ):
        space = RunningSpace(house)
        store = Store.in_folder(Path(folder) / "data")
        fill(store, space.id)
        store.close()
        below = f"{house.manage_url}/v1/spaces/{space.id}/collections/users/profiles"
        people = [(number * 7_919) % PROFILES for number in range(REQUESTS)]
        urls = [f"{below}/email:user-{person}@shop.example/traits" for person in people]
        headers = {"Authorization": space.authorization}
        manage_pid = next(pid for pid, roles in house.children().items() if "manage" in roles)
        asyncio.run(ask(urls[: REQUESTS // 10], headers, manage_pid))
        asked = asyncio.run(ask(urls, headers, manage_pid))
        alone = asyncio.run(ask([bare] * REQUESTS, {}, echo_pid))
        sample = msgspec.json.encode(space.read(f"users/profiles/user_id:user-{people[0]}/traits")[1])
    figures = {
        "profiles": PROFILES,
        "bytes an answer": len(sample),
        "requests a second": asked.rate,
        "p50, ms": quantile(asked.took, 0.5),
        "p99, ms": quantile(asked.took, 0.99),
        "processor time a request, us": asked.cost,
        "bare echo, requests a second": alone.rate,
        "bare echo, p50, ms": quantile(alone.took, 0.5),
        "bare echo, p99, ms": quantile(alone.took, 0.99),
        "bare echo, processor time a request, us": alone.cost,
        "share of the bare echo": asked.rate / alone.rate,
    }
    report("profile_api", figures, target="p95 < 200 ms, and a third of the bare echo of the same run")


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        main()
