"""Chunks are put together by destination, in order and at little cost."""

from headwater.contracts.delivering import event_record
from headwater.deliver.fanout import fan_out
from headwater.eventlog import Chunk


def chunk(*ids: tuple[str, ...], first: int = 10) -> Chunk:
    return Chunk(first, [event_record(f"m{number}", "s", each) for number, each in enumerate(ids)])


def test_destinations_of_the_same_events_share_one_list() -> None:
    shares = fan_out(chunk(("a", "b"), ("a", "b"), ("a", "b")))
    assert [share.destination_id for share in shares] == ["a", "b"]
    assert shares[0].items is shares[1].items
    assert [item.position for item in shares[0].items] == [10, 11, 12]


def test_events_stay_in_order_whatever_else_they_go_to() -> None:
    shares = fan_out(chunk(("a", "b"), ("a",), ("b", "a"), (), ("a",)))
    found = {share.destination_id: [item.message_id for item in share.items] for share in shares}
    assert found == {"a": ["m0", "m1", "m2", "m4"], "b": ["m0", "m2"]}


def test_an_event_for_nobody_is_nowhere() -> None:
    assert fan_out(chunk((), ())) == []
