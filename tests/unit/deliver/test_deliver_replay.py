"""What a replay makes of events: deliveries to destinations as they are set up today, and what it keeps back."""

from typing import Any

import msgspec

from headwater.deliver.decide import decider
from headwater.deliver.plan import compile_lane
from headwater.deliver.replay import Receiver, counts, read, row, sort_out, stride
from headwater.deliver.ways import Way, never
from headwater.spec.destination import Batch, Item
from headwater.spec.fql import compile_trigger, parse
from headwater.spec.outcome import Step
from headwater.spec.settings import DeliverSettings
from headwater.spec.workspace import Destination
from headwater.store.secrets import Secrets

HOOK = Destination(id="d1", source_id="s1", definition="webhook", name="Hook", settings={"url": "https://hook.test/"})


def receiver(**changes: Any) -> Receiver:
    destination = msgspec.structs.replace(HOOK, **changes)
    return Receiver(destination.id, compile_lane(destination, Secrets([b"0" * 32]), DeliverSettings()))


def item(position: int = 7, **fields: Any) -> Item:
    event = {"type": "track", "event": "E", "messageId": f"m{position}"} | fields
    return Item(msgspec.json.encode(event), event["type"], event["event"], event["messageId"], position, 1_000)


def test_integrations_name_the_destination_alone_and_nothing_else_changes() -> None:
    sent = item(integrations={"All": False, "Other": {"key": 1}}, timestamp="2020-01-01T00:00:00.000Z", n=1.5)
    found = sort_out([sent], [receiver()])
    [taken] = found.taken
    assert not found.kept
    assert read(taken.item) == (read(sent) or {}) | {"integrations": {"All": False, "Webhook": True}}


def test_each_destination_decides_for_itself() -> None:
    gone = Receiver("d3", None)
    served = item(1, _metadata={"bundled": ["Hook"]})
    found = sort_out([served, item(2)], [receiver(), receiver(id="d2", name="Second"), gone])
    assert [(each.destination_id, each.item.position) for each in found.taken] == [("d2", 1), ("d1", 2), ("d2", 2)]
    assert found.kept == {("d1", "MESSAGE_SENT_CLIENT_SIDE"): 1, ("d3", "UNKNOWN_INTEGRATION"): 2}


def test_an_event_takes_as_many_ways_as_subscriptions_match_it_today() -> None:
    plan = receiver().plan
    assert plan is not None
    ways = [
        Way("all", Batch(), never, holds=compile_trigger(parse('type = "track"'))),
        Way("dear", Batch(), never, holds=compile_trigger(parse("properties.total > 10"))),
    ]
    plan = msgspec.structs.replace(plan, ways={way.id: way for way in ways}, decide=decider(ways, None))
    items = [item(1, properties={"total": 50}), item(2), item(3, type="page")]
    found = sort_out(items, [Receiver("d1", plan)])
    assert [(each.item.position, each.way_id) for each in found.taken] == [(1, "all"), (1, "dear"), (2, "all")]
    assert found.kept == {("d1", "NO_MATCHING_MAPPING"): 1}
    rows = [row(each, replay_id="r1", source_id="s1", partition=0, at=1) for each in found.taken]
    assert len({each.id for each in rows}) == 3
    assert [each.subscription_id for each in rows] == ["all", "dear", "all"]


def test_what_is_kept_back_balances_in_the_books() -> None:
    found = sort_out([item(1), item(2)], [Receiver("d3", None)])
    assert [(each.step, each.reason, each.events, each.minute) for each in counts(found, "s1", 120_000)] == [
        (Step.MATCHED, "REPLAY", 2, 2),
        (Step.FILTERED_AT_DESTINATION, "UNKNOWN_INTEGRATION", 2, 2),
    ]


def test_the_same_event_of_the_same_replay_is_always_the_same_row() -> None:
    [taken] = sort_out([item()], [receiver()]).taken
    here: dict[str, Any] = {"source_id": "s1", "partition": 3}
    first, again = (row(taken, replay_id="r1", at=at, **here) for at in (1_000, 9_000))
    other = row(taken, replay_id="r2", at=1_000, **here)
    assert first.id == again.id != other.id
    assert (first.state, first.reason, first.replay_id, first.due_at) == ("waiting", "REPLAY", "r1", 1_000)
    assert first.expires_at == 1_000 + 4 * 3_600_000


def test_what_is_no_event_is_passed_over() -> None:
    broken = msgspec.structs.replace(item(), body=b"\xff")
    assert sort_out([broken], [receiver()]) == sort_out([], [])


def test_a_step_is_as_large_as_the_pace_and_a_transaction_allow() -> None:
    assert stride(1_000, [receiver()], 250) == 250
    assert stride(1_000, [receiver(), receiver(id="d2")], 250) == 125
    assert stride(5, [receiver()], 250) == 5
    assert stride(1_000, [receiver()] * 400, 250) == 1
