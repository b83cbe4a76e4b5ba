"""The integrations object: what senders may decide about destinations and warehouses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.integrations import allows, allows_warehouse

DECISIONS: list[tuple[Any, bool]] = [
    (None, True),
    ({}, True),
    ({"All": False}, False),
    ({"All": True}, True),
    ({"All": False, "X": True}, True),
    ({"All": False, "X": {"k": 1}}, True),
    ({"All": False, "X": {}}, True),
    ({"X": False}, False),
    ({"X": None}, True),
    ({"All": True, "X": False}, False),
    ({"All": False, "x": True}, False),
    ({"x": False}, True),
    ({"All": "false"}, True),
    ({"all": False}, False),
    ({"All": True, "all": False}, True),
    ([], True),
    (["X"], True),
    ("X", True),
    (False, True),
    ({"Warehouses": {"all": False}}, True),
]


@pytest.mark.parametrize(("integrations", "allowed"), DECISIONS, ids=repr)
def test_a_destination_gets_what_the_sender_allows(integrations: Any, allowed: bool) -> None:
    assert allows(integrations, ["X"]) is allowed


def test_any_name_of_a_destination_decides_and_the_first_given_name_counts() -> None:
    assert not allows({"Actions Webhook": False}, ["Webhook", "Actions Webhook"])
    assert allows({"All": False, "Old Webhook": True}, ["Webhook", "Old Webhook"])
    assert not allows({"Webhook": False, "Old Webhook": True}, ["Webhook", "Old Webhook"])


WAREHOUSES: list[tuple[Any, bool]] = [
    (None, True),
    ({}, True),
    ([], True),
    ({"All": False}, True),
    ({"Warehouses": False}, False),
    ({"Warehouses": True}, True),
    ({"Warehouses": {"all": False}}, False),
    ({"Warehouses": {"all": True}}, True),
    ({"Warehouses": {"All": False}}, False),
    ({"Warehouses": {}}, True),
    ({"Warehouses": {"warehouseIds": ["w1"]}}, True),
    ({"Warehouses": {"warehouseIds": ["w2"]}}, False),
    ({"Warehouses": {"warehouseIds": []}}, False),
    ({"Warehouses": {"warehouseIds": "w1"}}, True),
    ({"Warehouses": None}, True),
]


@pytest.mark.parametrize(("integrations", "allowed"), WAREHOUSES, ids=repr)
def test_a_warehouse_gets_what_the_sender_allows(integrations: Any, allowed: bool) -> None:
    assert allows_warehouse(integrations, "w1") is allowed


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["All", "all", "X", "Warehouses", "warehouseIds"]), inner, max_size=3)
    ),
)


@given(anything)
def test_any_json_gives_a_decision(integrations: Any) -> None:
    assert allows(integrations, ["X", "Y"]) in (True, False)
    assert allows_warehouse(integrations, "w1") in (True, False)
