"""Contacts share a request only where that cannot bring back somebody who unsubscribed."""

from typing import Any

import pytest

from headwater.destinations.mailchimp import MOST, batch


@pytest.mark.parametrize(
    ("mapping", "items", "keys"),
    [
        ({}, 1, ()),
        ({"status": {"@path": "$.traits.status"}}, 1, ()),
        ({"status": "subscribed"}, MOST, ()),
        ({"status": "subscribed", "enable_batching": False}, 1, ()),
        ({"status": "subscribed", "audience_id": "a1"}, MOST, ()),
        ({"status": "subscribed", "audience_id": {"@path": "$.traits.audience"}}, MOST, ("audience_id",)),
    ],
)
def test_a_batch_needs_one_status_for_all_and_one_audience(
    mapping: dict[str, Any], items: int, keys: tuple[str, ...]
) -> None:
    made = batch({}, mapping)
    assert (made.items, made.keys) == (items, keys)
