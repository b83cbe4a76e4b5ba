"""Chunks are put together by destination, in order and at little cost."""

from headwater.contracts.delivering import event_record
from headwater.deliver.fanout import fan_out
from headwater.eventlog import Chunk


def chunk(*ids: tuple[str, ...], first: int = 10) -> Chunk:
    return Chunk(first, [event_record(f"m{number}", "s", each) for number, each in enumerate(ids)])


def test_destinations_of_the_same_events_share_one_list() -> None:
    shares, _ = fan_out(chunk(("a", "b"), ("a", "b"), ("a", "b")), {})
    assert [share.destination_id for share in shares] == ["a", "b"]
    assert shares[0].items is shares[1].items
    assert [item.position for item in shares[0].items] == [10, 11, 12]


def test_events_stay_in_order_whatever_else_they_go_to() -> None:
    shares, _ = fan_out(chunk(("a", "b"), ("a",), ("b", "a"), (), ("a",)), {})
    found = {share.destination_id: [item.message_id for item in share.items] for share in shares}
    assert found == {"a": ["m0", "m1", "m2", "m4"], "b": ["m0", "m2"]}


def test_known_deliveries_are_told_apart_and_not_shared_out() -> None:
    shares, known = fan_out(chunk(("a", "b"), ("a", "b")), {11: {"a"}})
    found = {share.destination_id: [item.position for item in share.items] for share in shares}
    assert found == {"a": [10], "b": [10, 11]}
    assert [(each.destination_id, each.position, each.message_id) for each in known] == [("a", 11, "m1")]


def test_an_event_for_nobody_is_nowhere() -> None:
    assert fan_out(chunk((), ()), {}) == ([], [])
