"""Webhooks: what their requests carry."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headwater.destinations import definition
from headwater.spec.destination import Item


def sent(items: list[Item], **settings: Any) -> bytes:
    action = definition("webhook").action
    assert action is not None and action.steps is not None
    return next(action.steps({"url": "https://a.example", **settings}, items)).body


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 2), min_size=1, max_size=3))))
def test_a_batch_is_the_array_of_its_own_events_whatever_other_webhooks_send(
    requests: list[tuple[bool, list[int]]],
) -> None:
    events = [Item(msgspec.json.encode({"n": number}), "track", "A", f"m{number}", number, 0) for number in range(3)]
    for again, numbers in requests:
        batch = [events[number] for number in numbers]
        for _ in range(1 + again):
            assert msgspec.json.decode(sent(batch, batch_size=3)) == [{"n": number} for number in numbers]
        assert msgspec.json.decode(sent(batch)) == {"n": numbers[0]}
