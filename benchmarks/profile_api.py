"""How fast the Profile API answers for a profile's traits by an identifier, beside a bare echo of the same run.

Profiles with ten traits and two identifiers each lie in the store of a real house (`HEADWATER_BENCH_PROFILES`, 10,000
unless given); kept-alive connections ask for any of them at once. The echo is the smallest Litestar route on Granian.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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


async def ask(urls: list[str], headers: dict[str, str]) -> tuple[float, list[float]]:
    """Requests a second, and how long each took (ms). Raises AssertionError on any answer but 200 with a body."""
    took: list[float] = []
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
        return len(took) / (time.perf_counter() - started), took


@contextmanager
def running_echo() -> Iterator[str]:
    """The address of a bare route in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.profile_api", "echo", str(port)])
    try:
        house = RunningHouse(Path(), port, port, Path())
        until(lambda: _answers(house), what="for the echo")
        yield f"http://127.0.0.1:{port}/"
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
        running_echo() as bare,
    ):
        space = RunningSpace(house)
        store = Store.in_folder(Path(folder) / "data")
        fill(store, space.id)
        store.close()
        below = f"{house.manage_url}/v1/spaces/{space.id}/collections/users/profiles"
        people = [(number * 7_919) % PROFILES for number in range(REQUESTS)]
        urls = [f"{below}/email:user-{person}@shop.example/traits" for person in people]
        headers = {"Authorization": space.authorization}
        asyncio.run(ask(urls[: REQUESTS // 10], headers))
        rate, took = asyncio.run(ask(urls, headers))
        echo_rate, echo_took = asyncio.run(ask([bare] * REQUESTS, {}))
        sample = msgspec.json.encode(space.read(f"users/profiles/user_id:user-{people[0]}/traits")[1])
    figures = {
        "profiles": PROFILES,
        "bytes an answer": len(sample),
        "requests a second": rate,
        "p50, ms": quantile(took, 0.5),
        "p99, ms": quantile(took, 0.99),
        "bare echo, requests a second": echo_rate,
        "bare echo, p50, ms": quantile(echo_took, 0.5),
        "bare echo, p99, ms": quantile(echo_took, 0.99),
        "share of the bare echo": rate / echo_rate,
    }
    report("profile_api", figures, target="p95 < 200 ms, and a third of the bare echo of the same run")


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        main()
