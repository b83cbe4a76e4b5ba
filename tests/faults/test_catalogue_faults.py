"""A worker that dies, stalls, grows or babbles: no delivery is lost or held up by another's."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater import catalogue
from headwater.catalogue import Call, Workers
from headwater.catalogue.worker import Pace
from headwater.spec.destination import Request, Response
from headwater.spec.errors import Unavailable
from headwater.spec.settings import CatalogueSettings

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

ROGUE = {"NODE_OPTIONS": f"--require {Path(__file__).with_name('rogue.cjs')}"}
QUICK = Pace(ping=0.1, unanswered=100, cancelling=0.2, longest_wait=0.1)


def call(*events: str, **changed: Any) -> Call:
    given: dict[str, Any] = {
        "destination": "actions-webhook",
        "action": "send",
        "trigger": 'type = "track"',
        "mapping": {"url": "https://tool.example/in", "method": "POST", "data": {"@path": "$."}},
        "settings": {},
        "events": [{"type": "track", "event": event} for event in events],
    }
    return Call(**(given | changed))


async def ok(request: Request) -> Response:
    return Response(200, {}, b"ok")


class Hold:
    """An exchange whose requests hang until they are released."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, request: Request) -> Response:
        self.asked.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Response(200, {}, b"ok")


def run(scenario: Callable[[Workers], Coroutine[Any, Any, None]], **more: Any) -> None:
    """Run a scenario with workers that may be rogue."""

    async def whole() -> None:
        given = {"environment": ROGUE, "pace": QUICK} | more
        async with Workers(given.pop("settings", CatalogueSettings()), **given) as workers:
            await scenario(workers)

    asyncio.run(whole())


async def fates(workers: Workers, wanted: Call, exchange: Callable[[Request], Awaitable[Response]] = ok) -> list[str]:
    return [item.code or item.kind for item in (await workers.deliver(wanted, exchange)).items]


async def worker_pid(workers: Workers) -> int:
    return (await workers._lanes[False].worker()).pid


def test_a_killed_worker_is_replaced_and_its_calls_are_tried_again_later() -> None:
    async def scenario(workers: Workers) -> None:
        hold = Hold()
        waiting = [asyncio.create_task(fates(workers, call(f"e{number}", "also"), hold)) for number in range(5)]
        await hold.asked.wait()
        os.kill(await worker_pid(workers), signal.SIGKILL)
        assert await asyncio.gather(*waiting) == [["WORKER_ENDED"] * 2] * 5
        assert await fates(workers, call("new")) == ["ok"]
        assert await fates(workers, call("e1", "also")) == ["ok", "ok"]

    run(scenario)


def test_an_event_that_ends_two_workers_is_given_up_and_no_other() -> None:
    async def scenario(workers: Workers) -> None:
        hold = Hold()
        bystander = asyncio.create_task(fates(workers, call("innocent"), hold))
        await hold.asked.wait()
        batch = call("one", "rogue:die", batch=True)
        assert await fates(workers, batch) == ["WORKER_ENDED"] * 2
        assert await bystander == ["WORKER_ENDED"]
        assert await fates(workers, batch) == ["ok", "KILLED_WORKERS"]
        assert await fates(workers, call("innocent")) == ["ok"]
        assert not workers._suspects.holds(call("innocent"))
        (ended,) = (await workers.deliver(call("rogue:die"), ok)).items
        assert ended.kind == "retry", "it is only known while it is remembered"

    run(scenario)


def test_an_event_that_breaks_a_worker_ends_it_and_is_given_up() -> None:
    async def scenario(workers: Workers) -> None:
        assert await fates(workers, call("rogue:throw")) == ["WORKER_ENDED"]
        assert await fates(workers, call("next")) == ["ok"]
        assert await fates(workers, call("rogue:throw")) == ["KILLED_WORKERS"]

    run(scenario)


def test_a_worker_that_stalls_is_killed() -> None:
    async def scenario(workers: Workers) -> None:
        assert await fates(workers, call("rogue:hang")) == ["WORKER_ENDED"]
        assert await fates(workers, call("next")) == ["ok"]

    run(scenario, pace=msgspec.structs.replace(QUICK, unanswered=20))


def test_a_worker_that_stalls_while_the_caller_is_busy_is_not_blamed() -> None:
    async def scenario(workers: Workers) -> None:
        pid = await worker_pid(workers)
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1.5)"], check=True)
        assert await fates(workers, call("a")) == ["ok"]
        assert await worker_pid(workers) == pid

    run(scenario, pace=msgspec.structs.replace(QUICK, ping=0.4, unanswered=3))


def test_a_worker_that_grows_is_replaced_when_its_calls_have_ended() -> None:
    async def scenario(workers: Workers) -> None:
        hold = Hold()
        old = await workers._lanes[False].worker()
        held = asyncio.create_task(fates(workers, call("held"), hold))
        await hold.asked.wait()
        assert await fates(workers, call("rogue:grow")) == ["ok"]
        async with asyncio.timeout(20):
            while old.rss <= 250_000_000:
                await asyncio.sleep(0.02)
        assert await fates(workers, call("b")) == ["ok"]
        async with asyncio.timeout(20):
            while await worker_pid(workers) == old.pid:
                await asyncio.sleep(0.02)
        assert await fates(workers, call("c")) == ["ok"]
        assert not old.ended.is_set()
        hold.released.set()
        assert await held == ["ok"]
        async with asyncio.timeout(20):
            await old.ended.wait()

    run(scenario, pace=msgspec.structs.replace(QUICK, memory=250_000_000))


def test_answers_are_not_kept() -> None:
    """The core would keep every answer for ever: here 120 MB and as much of text."""

    async def scenario(workers: Workers) -> None:
        async def large(request: Request) -> Response:
            return Response(200, {}, b"x" * 500_000)

        for _ in range(6):
            assert await fates(workers, call(*("e" * 40)), large) == ["ok"] * 40
        worker = await workers._lanes[False].worker()
        await asyncio.sleep(3 * QUICK.ping)
        assert 0 < worker.rss < 330_000_000

    run(scenario, pace=msgspec.structs.replace(QUICK, memory=10**12))


def test_events_do_not_share_what_the_core_adds_to(tmp_path: Path) -> None:
    """It appends a tag for each event to what it is given, so that a shared list would cost ever more."""

    async def scenario(workers: Workers) -> None:
        assert await fates(workers, call("rogue:tags", "b", "c")) == ["ok"] * 3
        assert await fates(workers, call("d")) == ["ok"]

    run(scenario, environment=ROGUE | {"ROGUE_NOTE": str(tmp_path / "note")})
    assert not (tmp_path / "note").exists()


def test_what_destinations_print_does_not_get_between_the_frames() -> None:
    async def scenario(workers: Workers) -> None:
        pid = await worker_pid(workers)
        assert await fates(workers, call("rogue:print", "b")) == ["ok", "ok"]
        assert await fates(workers, call("rogue:reject")) == ["ok"]
        assert await fates(workers, call("after")) == ["ok"]
        assert await worker_pid(workers) == pid

    run(scenario)


@pytest.mark.parametrize("batch", [False, True])
def test_a_deadline_ends_a_call_and_its_requests(batch: bool) -> None:
    async def scenario(workers: Workers) -> None:
        await fates(workers, call("warm"))
        hold = Hold()
        ended = (await workers.deliver(call("slow", "slower", batch=batch, deadline=0.3), hold)).items
        assert [item.kind for item in ended] == ["retry", "retry"]
        assert hold.cancelled == (1 if batch else 2)
        assert await fates(workers, call("next")) == ["ok"]

    run(scenario)


def test_a_caller_that_gives_up_ends_its_requests() -> None:
    async def scenario(workers: Workers) -> None:
        hold = Hold()
        task = asyncio.create_task(fates(workers, call("slow"), hold))
        await hold.asked.wait()
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(5):
            while not hold.cancelled:
                await asyncio.sleep(0.01)
        assert await fates(workers, call("next")) == ["ok"]

    run(scenario)


def test_a_slow_tool_leaves_places_for_64_calls_and_no_more() -> None:
    async def scenario(workers: Workers) -> None:
        hold = Hold()
        slow = [asyncio.create_task(fates(workers, call("slow"), hold)) for _ in range(64)]
        await hold.asked.wait()
        assert await fates(workers, call("late", deadline=0.2)) == ["WORKER_AWAY"]
        hold.released.set()
        assert await asyncio.gather(*slow) == [["ok"]] * 64
        assert await fates(workers, call("late")) == ["ok"]

    run(scenario)


def test_a_worker_that_never_starts_makes_deliveries_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(workers: Workers) -> None:
        (ended,) = (await workers.deliver(call("a"), ok)).items
        assert (ended.kind, ended.code) == ("retry", "WORKER_AWAY")
        with pytest.raises(Unavailable):
            await workers.ask("testAuth", {"dest": "actions-webhook"}, ok)

    run(scenario, environment={"NODE_OPTIONS": "--require /nowhere.cjs"})


def test_a_call_too_large_for_a_line_is_halved_and_an_event_given_up() -> None:
    async def scenario(workers: Workers) -> None:
        large = [b'{"type":"track","event":"%s"}' % (b"x" * 8_000_000) for _ in range(3)]
        sizes: list[int] = []

        async def measure(request: Request) -> Response:
            sizes.append(len(request.body))
            return Response(200, {}, b"")

        assert await fates(workers, call(events=large), measure) == ["ok"] * 3
        assert len(sizes) == 3
        assert await fates(workers, call(events=[b'"%s"' % (b"x" * 15_500_000)])) == ["TOO_LARGE"]

    run(scenario)


def test_the_worker_sees_no_environment_and_connects_to_nobody(tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def scenario(workers: Workers) -> None:
        await fates(workers, call("rogue:connect"))
        assert note.read_text() == "DIRECT_CONNECTION"
        await fates(workers, call("rogue:look"))
        seen = json.loads(note.read_text())
        assert set(seen) == {"NODE_OPTIONS", "ROGUE_NOTE", "NODE_ENV", "ACTIONS_MEMORA_ENV", "TZ"}
        assert (seen["NODE_ENV"], seen["TZ"]) == ("production", "UTC")

    run(scenario, environment=ROGUE | {"ROGUE_NOTE": str(note)})


def test_the_direct_worker_may_connect_but_not_ask_for_the_machines_credentials(tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def scenario(workers: Workers) -> None:
        kafka = call("rogue:look", destination="actions-kafka", mapping={})
        assert (await workers.deliver(kafka, ok)).items[0].kind == "permanent"
        assert json.loads(note.read_text())["AWS_EC2_METADATA_DISABLED"] == "true"
        assert await fates(workers, call("a")) == ["ok"]
        assert not set(json.loads(note.read_text())) & {"HOME", "PATH", "HEADWATER_DATA"}

    run(scenario, settings=CatalogueSettings(direct=True), environment=ROGUE | {"ROGUE_NOTE": str(note)})


@pytest.mark.parametrize("doing", ["idle", "rogue:hang"])
def test_a_worker_ends_with_its_house_however_that_ends(doing: str, tmp_path: Path) -> None:
    code = f"""
        import asyncio, os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_catalogue_faults import ROGUE, CatalogueSettings, Workers, call, fates, worker_pid

        async def main():
            workers = Workers(CatalogueSettings(), environment=ROGUE)
            await fates(workers, call("a"))
            print(await worker_pid(workers), flush=True)
            asyncio.ensure_future(fates(workers, call("{doing}")))
            await asyncio.sleep(0.3)
            os.kill(os.getpid(), 9)

        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    pid = int(done.stdout)

    async def gone() -> None:
        async with asyncio.timeout(20):
            while Path(f"/proc/{pid}").exists() if Path("/proc").exists() else _alive(pid):
                await asyncio.sleep(0.05)

    asyncio.run(gone())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
