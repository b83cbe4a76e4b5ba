"""What is delivered, or fails, is freed at once: deliveries wait while circles of objects are collected."""

import asyncio
import gc
from collections import Counter
from pathlib import Path

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Recorder, refusing_port

EVENTS = 50


def ours(objects: list[object]) -> Counter[str]:
    """How many there are of each kind that deliveries are made of."""
    names = [f"{type(each).__module__}.{type(each).__qualname__}" for each in objects]
    return Counter(name for name in names if name.startswith(("headwater.", "aiohttp.client", "builtins.frame")))


def test_deliveries_leave_no_circles_of_objects(tmp_path: Path) -> None:
    left: Counter[str] = Counter()

    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            with refusing_port() as port:
                well, refuses = bench.connect(url=tool.url("/")), bench.connect(url=f"http://127.0.0.1:{port}/")
                async with bench.delivering(QUICK):
                    await bench.put(1, well, refuses)
                    await bench.until_committed()
                    gc.collect()
                    gc.set_debug(gc.DEBUG_SAVEALL)
                    await bench.put(EVENTS, well, refuses, first=1)
                    await bench.until(lambda: len(tool.at("/")) > EVENTS and len(bench.rows()) > EVENTS)
                    await bench.until_committed()
                    gc.collect()
                    left.update(ours(gc.garbage))

    try:
        asyncio.run(scenario())
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert not left
