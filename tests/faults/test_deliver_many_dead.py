"""A thousand destinations of which a hundred are dead, each in one of three ways: nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from headwater.contracts.delivering import Bench, Sums
from headwater.contracts.doubles import Answer, Recorded, Recorder, refusing_port
from headwater.contracts.simulated_time import SimulatedTime, simulate
from headwater.deliver.slots import SLOTS
from headwater.spec.settings import DeliverSettings
from headwater.store import workspace as workspaces

WELL, DEAD, EACH, EVENTS = 900, 100, 33, 6
REQUEST_SECONDS = 10.0
SETTINGS = DeliverSettings(allowed_addresses=("127.0.0.0/8",), breaker_failures=2, grace_seconds=1.5)


def connect_all(bench: Bench, urls: list[str]) -> list[str]:
    """Webhooks to these addresses, made in one transaction."""
    make = partial(workspaces.create_destination, source_id=bench.source_id, definition="webhook")

    def make_all(connection: Any) -> list[str]:
        return [make(connection, name=f"No. {n}", settings={"url": url}).id for n, url in enumerate(urls)]

    return bench.store.run(make_all)


def test_nine_hundred_wait_for_none_of_a_hundred_that_are_dead_and_nothing_is_lost(tmp_path: Path) -> None:
    async def scenario(clock: SimulatedTime) -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            with refusing_port() as port:
                refuse = connect_all(bench, [f"http://127.0.0.1:{port}/dead/{n}" for n in range(DEAD - 2 * EACH)])
                hang = connect_all(bench, scripted(tool, "/hang", Answer(mischief="hang")))
                fail = connect_all(bench, scripted(tool, "/fail", Answer(500)))
                well = connect_all(bench, [tool.url(f"/well/{number}") for number in range(WELL)])
                dead = [*refuse, *hang, *fail]
                async with bench.delivering(SETTINGS):
                    await bench.put(1, *dead, *well)
                    await bench.put(EVENTS - 1, *well, *dead, first=1)
                    await tool.until(lambda: len(at(tool, "/well/")) >= WELL * EVENTS, seconds=600)
                    came = Counter((request.path, request.json()["messageId"]) for request in at(tool, "/well/"))
                    assert set(came.values()) == {1}
                    assert clock.jumped < REQUEST_SECONDS, "nobody waits until a request that hangs is given up"
                    await bench.until_committed(seconds=600)
                    check_books(await bench.books(), well, delivered=EVENTS)
                    assert bench.states() == {"waiting": DEAD * EVENTS}
                    assert len(at(tool, "/hang")) > SLOTS, "they hang in more requests than may be under way at once"
                    tool.release()
                    tool.always(Answer(200))
                    for number in range(EACH):
                        tool.script(f"/fail/{number}", Answer(200))
                    for number, each in enumerate(refuse):
                        bench.change(each, settings={"url": tool.url(f"/back/{number}")})
                    await wait_until_delivered(bench)
                    check_books(await bench.books(), [*well, *dead], delivered=EVENTS)

    simulate(scenario, "headwater.deliver", "headwater.contracts")


def scripted(tool: Recorder, path: str, answer: Answer) -> list[str]:
    """Addresses that all answer so."""
    for number in range(EACH):
        tool.script(f"{path}/{number}", answer)
    return [tool.url(f"{path}/{number}") for number in range(EACH)]


def at(tool: Recorder, path: str) -> list[Recorded]:
    return [request for request in tool.requests if request.path.startswith(path)]


def check_books(books: dict[str, Sums], ids: list[str], *, delivered: int) -> None:
    assert all(books[each] == {("matched", ""): delivered, ("delivered", ""): delivered} for each in ids)


async def wait_until_delivered(bench: Bench) -> None:
    """Look every few seconds."""
    async with asyncio.timeout(3_600):
        while set(bench.states()) != {"delivered"}:
            await asyncio.sleep(5.0)
