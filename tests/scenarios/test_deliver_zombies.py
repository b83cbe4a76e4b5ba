"""A deliver that was cut off and comes back late adds nothing to what another has taken over, and undoes nothing."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy.engine import Connection

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder
from headwater.eventlog import EventLog, Holder, Membership, Moved
from headwater.eventlog.sharing import join_alone
from headwater.eventlog.streams import Stream
from headwater.store import Store, parked, redriving
from headwater.store.parked import Change, ParkedDelivery

NOW = 1_700_000_000_000


class CutOff:
    """The log as a worker sees it that does not know that its partitions are another's."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._fenced = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def join(self, _: str, stream: Stream, holder: Holder) -> Membership:
        return await join_alone(holder, self._log.partitions(stream))

    async def fence(self, _group: str, _partition: int) -> None:
        if self._fenced:
            await asyncio.Event().wait()
        self._fenced = True

    async def transact(self, *_: Any) -> list[int]:
        raise AssertionError("what was left out must not be committed")


class Losing:
    """A log on which the first commits find that the partition is another's, and which gives it back each time."""

    def __init__(self, log: EventLog, times: int) -> None:
        self._log = log
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def transact(self, *what: Any) -> list[int]:
        if self.left:
            self.left -= 1
            raise Moved("another worker's")
        return await self._log.transact(*what)


class HeldStore(Store):
    """A store that parks only when it is let go on, as of a process that was stopped in the middle."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reached, self.go_on, self.parked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write(self, change: Callable[[Connection], Any], *, awaited: bool = False) -> Any:
        parks = isinstance(change, partial) and "over" in change.keywords
        if parks:
            self.reached.set()
            await self.go_on.wait()
        answer = await super().write(change, awaited=awaited)
        if parks:
            self.parked.set()
        return answer


def test_rows_of_a_worker_that_was_cut_off_are_left_out_once_another_has_the_partition(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        zombie = Bench(tmp_path, cast("EventLog", CutOff(bench.log)))
        held = zombie.store = HeldStore(bench.store.url)
        async with Recorder() as tool:
            tool.script("/ill", Answer(503))
            ill = bench.connect(url=tool.url("/ill"))
            await bench.put(3, ill)
            async with zombie.delivering() as role:
                await held.reached.wait()
                tool.script("/ill", Answer(200))
                async with bench.delivering():
                    await bench.until_committed()
                    held.go_on.set()
                    await held.parked.wait()
                role.cancel()
            assert bench.states() == {}, "what the other delivered does not wait"
            assert (await bench.books())[ill] == {("matched", ""): 3, ("delivered", ""): 3}

    asyncio.run(scenario())


def test_chunks_that_another_worker_took_over_leave_their_room_to_what_comes(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        losing = Losing(bench.log, 2)
        async with Recorder() as tool:
            await bench.put(1, bench.connect(url=tool.url("/x")))
            narrow = msgspec.structs.replace(QUICK, chunk_events=1, chunks_in_flight=1)
            async with bench.delivering(narrow, log=cast("EventLog", losing)):
                await bench.until_committed(seconds=10)
        assert losing.left == 0

    asyncio.run(scenario())


def _row(store: Store) -> str:
    row = ParkedDelivery(
        id="d.0.1",
        destination_id="d",
        source_id="s",
        partition=0,
        position=1,
        message_id="m",
        event_type="track",
        event_name="e",
        received_at=NOW,
        payload=b"{}",
        state="waiting",
        reason="RETRY",
        counted_at=NOW,
        parked_reason="RETRY",
        detail="",
        attempts=0,
        notes=[],
        parked_at=NOW,
        due_at=NOW,
        expires_at=NOW + 3_600_000,
    )
    store.run(partial(parked.park, deliveries=[row]))
    return row.id


def test_who_outlived_its_claim_cannot_fail_or_put_off_what_another_has_claimed(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    store.migrate()
    id = _row(store)
    claims = [
        store.run(partial(parked.claim, limits={"d": 1}, now=now, lease_ms=120_000))["d"][0]
        for now in (NOW, NOW + 120_000)
    ]
    stale, fresh = (claim.due_at for claim in claims)
    end = partial(Change, id=id, reason="TIMEOUT", at=NOW, due_at=NOW)
    settle = partial(parked.settle)
    assert store.run(partial(settle, changes=[end(state="failed", claimed=stale)])) == 0
    assert store.run(partial(settle, changes=[end(state="waiting", claimed=stale)])) == 0
    store.run(partial(parked.release, ids=[id], due_at=NOW, claimed=stale))
    assert store.run(partial(redriving.find, chosen=redriving.Filter()))[0].due_at == fresh
    assert store.run(partial(settle, changes=[end(state="delivered", claimed=stale)])) == 1, "delivered is delivered"
    assert store.run(partial(settle, changes=[end(state="failed", claimed=fresh)])) == 0
    store.close()
