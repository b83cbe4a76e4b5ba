"""What a request carries: as many events as its batch may, and as much of them as fits."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from headwater.deliver.passage import Passage, Portion
from headwater.deliver.queues import Queues
from headwater.deliver.ways import Way, never
from headwater.spec.destination import Batch, Item


def one_by_one(sizes: list[int], batch: Batch) -> list[list[int]]:
    """Sizes of events by the request that they go with."""
    requests: list[list[int]] = []
    for size in sizes:
        if requests and len(requests[-1]) < batch.items and sum(requests[-1]) + size <= batch.body_bytes:
            requests[-1].append(size)
        else:
            requests.append([size])
    return requests


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 9)), max_size=6),
    st.integers(1, 7),
    st.integers(0, 30),
)
def test_a_request_carries_what_fits_in_order(
    portions: list[tuple[list[int], int]], items: int, body_bytes: int
) -> None:
    way = Way("w", Batch(items=items, body_bytes=body_bytes), never)
    queues, passage = Queues(), Passage(0, 0, 0, 0.0)
    for sizes, others in portions:
        events = [Item(b"x" * size, "track", "A", "m", 0, 0) for size in sizes]
        portion = Portion(passage, cast("Any", None), "s", events, way_id="w", size=sum(sizes) + others)
        queues.enter(portion, way, 1.0)
    requests: list[list[int]] = []
    while (queue := queues.next(1.0)) is not None:
        taken, pieces = queues.take(queue, 1.0)
        assert taken == [item for piece in pieces for item in piece.items]
        requests.append([len(item.body) for item in taken])
        queues.done(queue, 1.0)
    assert requests == one_by_one([size for sizes, _ in portions for size in sizes], way.batch)
