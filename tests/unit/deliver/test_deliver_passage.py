"""The account of a chunk: how old events were when they were delivered."""

from headwater.deliver.passage import Passage
from headwater.spec.ages import Ages, bucket_of
from headwater.spec.destination import Item
from headwater.spec.outcome import Count, Step


def item(received_at: int) -> Item:
    return Item(b"{}", "track", "A", "m", 0, received_at)


def test_delivered_events_are_counted_with_their_ages() -> None:
    passage = Passage(0, 0, 3, 0.0)
    at = 28_000_000 * 60_000 + 500
    passage.delivered("s", "d", at, [item(at - 100), item(at - 100), item(at - 90_000)])
    passage.delivered("s", "d", at + 1, [item(at - 99)])
    batch = passage.outcomes(at)
    assert batch.counts == [Count("s", "d", 28_000_000, Step.DELIVERED, "", 4)]
    assert batch.ages == [Ages("s", "d", 28_000_000, {bucket_of(100): 3, bucket_of(90_000): 1})]
