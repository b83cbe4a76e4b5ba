"""Events a second through the worker of Segment's destinations, one by one and in batches of 100, beside a bare pipe.

The destination is the webhook, with its default mapping; its requests are answered at once by a stub, so that what is
measured is the way there and back: the line, mapping and validation in the worker, the request through Python. The bare
pipe is a Node.js that returns the same lines as it got them. Each has 64 calls under way.

The prototype's figures, from before there was a house, are shown beside: the webhook through Python to an HTTP server
on two cores of another moment. The share of the bare pipe is what can be compared.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.report import quantile, report
from headwater import catalogue
from headwater.catalogue import Call, Workers, frames, place
from headwater.catalogue.worker import Pace
from headwater.spec.destination import Request, Response
from headwater.spec.settings import CatalogueSettings

SINGLES = int(os.environ.pop("HEADWATER_BENCH_SINGLES", "10000"))
BATCHES, BATCH = SINGLES // 20, 100
FLYING = 64
EVENT = {
    "type": "track",
    "event": "Order Completed",
    "userId": "user-1",
    "anonymousId": "a-1",
    "messageId": "m-1",
    "timestamp": "2026-01-02T03:04:05.000Z",
    "receivedAt": "2026-01-02T03:04:06.000Z",
    "properties": {"order_id": "o-1", "total": 99.5, "products": [{"id": 1, "price": 3}, {"id": 2, "price": 4}]},
    "context": {
        "ip": "203.0.113.7",
        "userAgent": "Mozilla/5.0",
        "page": {"url": "https://shop.example/", "title": "x"},
    },
}
BODY = msgspec.json.encode(EVENT)
MAPPING = {"url": "https://tool.example/in", "method": "POST", "data": {"@path": "$."}}
PROTOTYPE = {"singles": "2,800 to 3,300", "batches": "33,000 to 37,000"}
ECHO = "process.stdin.pipe(process.stdout)"


async def stub(request: Request) -> Response:
    return Response(200, {}, b"ok")


def call(events: int) -> Call:
    return Call(
        destination="actions-webhook",
        action="send",
        trigger='type = "track"',
        mapping=MAPPING,
        settings={"sharedSecret": "s"},
        events=[BODY] * events,
        batch=events > 1,
    )


async def rate(work: Callable[[], Awaitable[None]], times: int) -> float:
    """How often a second it is done, with 64 under way."""
    left = iter(range(times))

    async def lane() -> None:
        for _ in left:
            await work()

    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(FLYING)))
    return times / (time.perf_counter() - started)


async def echo(events: int, times: int) -> float:
    """Lines a second through a bare pipe."""
    line = frames.write("deliver", id=1, mapping=MAPPING, events=[msgspec.Raw(BODY)] * events)
    process = await asyncio.create_subprocess_exec(
        str(place.node()), "-e", ECHO, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1_000_000
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answers = iter(range(times))
    places = asyncio.Semaphore(FLYING)

    async def read() -> None:
        assert process.stdout is not None
        for _ in answers:
            await process.stdout.readline()
            places.release()

    reader = asyncio.create_task(read())
    started = time.perf_counter()
    for _ in range(times):
        await places.acquire()
        process.stdin.write(line)
    await reader
    took = time.perf_counter() - started
    process.stdin.close()
    await process.wait()
    return times / took


async def measure() -> dict[str, float | str]:
    started = time.perf_counter()
    names = len(catalogue.names())
    listed = time.perf_counter()
    for slug in catalogue.names():
        catalogue.definition(slug)
    loaded = time.perf_counter()
    async with Workers(CatalogueSettings(), pace=Pace(ping=0.1, unanswered=1_000)) as workers:

        async def deliver(wanted: Call) -> None:
            answer = await workers.deliver(wanted, stub)
            assert all(item.kind == "ok" for item in answer.items), answer.items[0]

        begun = time.perf_counter()
        worker = await workers._lanes[False].worker()  # pyright: ignore[reportPrivateUsage] - its figures
        ready = time.perf_counter()
        await asyncio.sleep(0.3)
        idle = worker.rss
        await deliver(call(1))
        took: list[float] = []
        for _ in range(1_000):
            at = time.perf_counter()
            await deliver(call(1))
            took.append((time.perf_counter() - at) * 1_000)
        await rate(lambda: deliver(call(BATCH)), BATCHES // 10)
        singles = await rate(lambda: deliver(call(1)), SINGLES)
        batches = await rate(lambda: deliver(call(BATCH)), BATCHES)
        await asyncio.sleep(0.3)
        memory = worker.rss
    bare, bare_batches = await echo(1, SINGLES), await echo(BATCH, BATCHES)
    return {
        "destinations": float(names),
        "reading the list, ms": (listed - started) * 1_000,
        "reading every definition, ms": (loaded - listed) * 1_000,
        "starting a worker, ms": (ready - begun) * 1_000,
        "memory of an idle worker, MB": idle / 1e6,
        "memory after the run, MB": memory / 1e6,
        "one at a time, p50, ms": quantile(took, 0.5),
        "one at a time, p99, ms": quantile(took, 0.99),
        "singles, events a second": singles,
        "  the prototype's": PROTOTYPE["singles"],
        "bare pipe, lines of one event a second": bare,
        "singles, share of the bare pipe": singles / bare,
        "batches of 100, events a second": batches * BATCH,
        "  the prototype's, of 100": PROTOTYPE["batches"],
        "bare pipe, events in lines of 100 a second": bare_batches * BATCH,
        "batches, share of the bare pipe": batches / bare_batches,
    }


def main() -> None:
    if said := catalogue.missing():
        print(said)
        return
    report("catalogue", asyncio.run(measure()), target="singles 1 %, batches of 100 5 % of the bare pipe")


if __name__ == "__main__":
    main()
