"""Destinations with subscriptions and filters: an event takes the ways that match, and each fares by itself."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater import catalogue
from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder
from headwater.store import ledger, parked, subscriptions

pytestmark = pytest.mark.skipif(bool(catalogue.missing()), reason=f"the catalogue is not built: {catalogue.missing()}")
PATIENT = msgspec.structs.replace(QUICK, grace_seconds=20.0)
"""The first call waits for the worker to start, and nothing is to be parked for that."""

TRACK, PAGE = 'type = "track"', 'type = "page"'


def webhook(bench: Bench) -> str:
    """A destination of the catalogue with an action that sends the event to a URL of its mapping."""
    return bench.connect("actions-webhook")


def subscribe(bench: Bench, destination_id: str, url: Any, trigger: str = TRACK, **mapping: Any) -> str:
    made = bench.store.run(
        partial(
            subscriptions.create,
            destination_id=destination_id,
            name=str(url)[-5:],
            action="send",
            trigger=trigger,
            mapping={"url": url, "method": "POST", "data": {"@path": "$."}, **mapping},
            enabled=True,
        )
    )
    return made.id


def keep_back(bench: Bench, destination_id: str, condition: str, **action: Any) -> None:
    bench.store.run(
        partial(
            subscriptions.create_filter,
            destination_id=destination_id,
            title="Kept back",
            condition=condition,
            actions=(action,),
            description="",
            enabled=True,
        )
    )


def test_an_event_takes_each_way_that_matches_it_and_each_is_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            one = subscribe(bench, there, tool.url("/one"))
            two = subscribe(bench, there, tool.url("/two"), 'event = "Order Completed" and properties.revenue > 10')
            subscribe(bench, there, tool.url("/never"), PAGE)
            await bench.put(5, there)
            await bench.put(2, there, first=5, kind="group")
            async with bench.delivering(PATIENT):
                await bench.until_committed()
            assert sorted(request.json()["messageId"] for request in tool.at("/one")) == [f"m{n}" for n in range(5)]
            assert len(tool.at("/two")) == 7
            assert tool.at("/never") == []
            books = (await bench.books())[there]
            assert books == {("matched", ""): 12, ("delivered", ""): 12}
            counts = [count for batch in await bench.outcomes() for count in batch.counts]
            delivered = {count.subscription_id: count.events for count in counts if count.step == "delivered"}
            assert delivered == {one: 5, two: 7}

    asyncio.run(scenario())


def test_what_filters_and_triggers_keep_back_is_counted_once_with_its_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            subscribe(bench, there, tool.url("/one"), PAGE)
            keep_back(bench, there, "type = 'track'", type="DROP")
            typeless = webhook(bench)
            subscribe(bench, typeless, tool.url("/typeless"), 'event = "Order Completed"')
            keep_back(bench, typeless, "all", type="DROP_PROPERTIES", fields={"": ["type"]})
            trimmed = bench.connect(url=tool.url("/plain"))
            keep_back(bench, trimmed, "all", type="DROP_PROPERTIES", fields={"properties": ["revenue"]})
            await bench.put(3, there, trimmed, typeless)
            await bench.put(2, there, first=3, kind="group")
            async with bench.delivering(PATIENT):
                await bench.until_committed()
            books = await bench.books()
            assert books[there] == {
                ("matched", ""): 5,
                ("filtered_at_destination", "FILTERED_BY_RULES"): 3,
                ("filtered_at_destination", "NO_MATCHING_MAPPING"): 2,
            }
            aside = [each for batch in await bench.outcomes() for each in batch.set_aside]
            assert {each.detail for each in aside if each.reason == "FILTERED_BY_RULES"} == {"Kept back"}
            assert [request.json()["properties"] for request in tool.at("/plain")] == [{}] * 3
            assert ["type" in request.json() for request in tool.at("/typeless")] == [False] * 3

    asyncio.run(scenario())


def test_one_way_that_fails_waits_by_itself_and_a_filter_made_meanwhile_does_not_touch_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            subscribe(bench, there, tool.url("/well"))
            ill = subscribe(bench, there, tool.url("/ill"))
            tool.script("/ill", Answer(503))
            await bench.put(3, there)
            async with bench.delivering(PATIENT):
                await bench.until_committed()
                await bench.until(lambda: len(bench.rows(state="waiting", subscription_id=ill)) == 3)
                assert len(tool.at("/well")) == 3
                keep_back(bench, there, "all", type="DROP")
                tool.script("/ill", Answer(200))
                await bench.until(lambda: bench.states() == {"delivered": 3})
            assert len(tool.at("/well")) == 3
            assert (await bench.books())[there] == {("matched", ""): 6, ("delivered", ""): 6}
            moved = bench.store.run(partial(ledger.totals, subscription_id=ill))
            assert {(count.step, count.events) for count in moved} >= {("delivered", 3)}

    asyncio.run(scenario())


def test_a_trigger_that_changes_does_not_touch_what_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            ill = subscribe(bench, there, tool.url("/ill"))
            tool.script("/ill", Answer(503))
            await bench.put(2, there)
            async with bench.delivering(PATIENT):
                await bench.until_committed()
                change = partial(subscriptions.update, destination_id=there, subscription_id=ill, trigger=PAGE)
                bench.store.run(change)
                tool.script("/ill", Answer(200))
                await bench.until(lambda: "waiting" not in bench.states())
            assert bench.states() == {"delivered": 2}
            assert (await bench.books())[there] == {("matched", ""): 2, ("delivered", ""): 2}

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["removed", "switched off"])
def test_a_subscription_that_goes_while_its_deliveries_wait_fails_them_and_they_can_be_found(
    tmp_path: Path, how: str
) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            ill = subscribe(bench, there, tool.url("/ill"))
            tool.script("/ill", Answer(503))
            await bench.put(3, there)
            async with bench.delivering(PATIENT):
                await bench.until_committed()
                if how == "removed":
                    bench.store.run(partial(subscriptions.delete, destination_id=there, subscription_id=ill))
                else:
                    change = partial(subscriptions.update, destination_id=there, subscription_id=ill, enabled=False)
                    bench.store.run(change)
                await bench.until(lambda: bench.states() == {"failed": 3})
            assert {(row.reason, row.subscription_id) for row in bench.rows()} == {("UNKNOWN_INTEGRATION", ill)}
            assert all(row.payload for row in bench.rows())
            failed = ("failed_delivery", "UNKNOWN_INTEGRATION")
            assert (await bench.books())[there] == {("matched", ""): 3, failed: 3}

    asyncio.run(scenario())


def test_a_mapping_that_cannot_be_made_fails_its_event_alone_and_a_batch_shares_what_its_keys_allow(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            where = {"@template": tool.url("/by/{{type}}")}
            both = f'{TRACK} or type = "group"'
            batching = {"enable_batching": True, "batch_size": 10, "batch_keys": ["url", "method", "headers"]}
            subscribe(bench, there, where, both, **batching)
            subscribe(bench, there, "", TRACK)
            await bench.put(6, there)
            await bench.put(4, there, first=6, kind="group")
            async with bench.delivering(PATIENT):
                await bench.until_committed()
            assert sorted(len(request.json()) for request in tool.at("/by/track")) == [6]
            assert sorted(len(request.json()) for request in tool.at("/by/group")) == [4]
            assert {(row.state, row.reason) for row in bench.rows()} == {("failed", "MESSAGE_REJECTED")}
            assert len(bench.rows()) == 6
            assert "url" in bench.rows()[0].detail.lower()

    asyncio.run(scenario())


def test_a_subscription_that_cannot_work_keeps_its_events_with_the_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            subscribe(bench, there, tool.url("/one"), "type = ")
            make = partial(subscriptions.create, destination_id=there, name="Old", action="gone", trigger=TRACK)
            bench.store.run(partial(make, mapping={}, enabled=True))
            await bench.put(1, there)
            async with bench.delivering(PATIENT):
                await bench.until_committed()
            assert {row.reason for row in bench.rows()} == {"INVALID_SETTINGS"}
            details = " ".join(row.detail for row in bench.rows())
            assert "has no action 'gone'" in details
            assert tool.requests == []

    asyncio.run(scenario())


def test_a_crash_makes_no_delivery_of_two_ways_wrong_in_the_books(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            there = webhook(bench)
            subscribe(bench, there, tool.url("/well"))
            ill = subscribe(bench, there, tool.url("/ill"))
            tool.script("/ill", Answer(503))
            tool.script("/hang", Answer(mischief="hang"))
            hanging = bench.connect(url=tool.url("/hang"))
            await bench.put(4, there, hanging)
            with pytest.raises(asyncio.CancelledError):
                async with bench.delivering(PATIENT) as role:
                    await bench.until(lambda: len(bench.rows(subscription_id=ill)) == 4)
                    role.cancel()
                    await asyncio.sleep(0)
                    raise asyncio.CancelledError
            tool.release()
            tool.script("/ill", Answer(200))
            # What the killed one had claimed comes back when its lease ends; nobody is to wait for that here.
            ids = [row.id for row in bench.rows(state="waiting")]
            bench.store.run(partial(parked.release, ids=ids, due_at=0))
            async with bench.delivering(PATIENT):
                await bench.until_committed()
                await bench.until(lambda: set(bench.states()) == {"delivered"})
            books = await bench.books()
            assert books[there] == {("matched", ""): 8, ("delivered", ""): 8}
            assert books[hanging] == {("matched", ""): 4, ("delivered", ""): 4}

    asyncio.run(scenario())


def test_a_destination_that_nobody_has_authorised_keeps_its_events_and_asks_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        there = bench.connect("actions-hubspot-cloud")
        make = partial(subscriptions.create, destination_id=there, name="Contacts", action="upsertContact")
        mapping = {"email": "ada@example.test"}
        bench.store.run(partial(make, trigger=TRACK, mapping=mapping, enabled=True))
        await bench.put(2, there)
        async with bench.delivering(PATIENT):
            await bench.until_committed()
            await bench.until(lambda: bench.destination(there).paused)
        assert {(row.state, row.reason) for row in bench.rows()} == {("waiting", "PAUSED")}
        assert any("Nobody has authorised it yet" in row.detail for row in bench.rows())

    asyncio.run(scenario())
