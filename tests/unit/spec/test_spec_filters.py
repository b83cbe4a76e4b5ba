"""Destination filters: what they keep back, and what they leave of an event."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.errors import SenderError
from headwater.spec.filters import check_filter, compile_filters
from headwater.spec.fql import FqlError
from headwater.spec.workspace import DestinationFilter

EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ada",
    "messageId": "m1",
    "properties": {
        "a": 1,
        "b": 2,
        "c": {"d": 3},
        "products": [{"id": 1, "price": 2}, {"id": 2, "price": 3}],
    },
}
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "properties"]), inner),
    max_leaves=10,
)


def rule(condition: str, *actions: dict[str, Any], title: str = "F", enabled: bool = True) -> DestinationFilter:
    return DestinationFilter(id=title, title=title, condition=condition, actions=actions, enabled=enabled)


def left(*filters: DestinationFilter, event: dict[str, Any] = EVENT) -> dict[str, Any] | None:
    found = compile_filters(filters)(event)
    return None if found.dropped else found.event


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"properties.products": ["price"]}, {**EVENT["properties"], "products": [{"id": 1}, {"id": 2}]}),
        ({"properties": ["a", "nope"]}, {key: EVENT["properties"][key] for key in ("b", "c", "products")}),
        ({"properties.nope": ["a"], "context": ["ip"]}, EVENT["properties"]),
        ({"properties.a": ["x"]}, EVENT["properties"]),
    ],
)
def test_properties_are_dropped_where_they_are_named_in_each_element_of_a_list(
    fields: dict[str, list[str]], wanted: dict[str, Any]
) -> None:
    found = left(rule("all", {"type": "DROP_PROPERTIES", "fields": fields}))
    assert found is not None
    assert found["properties"] == wanted


def test_an_empty_path_is_the_top_level() -> None:
    found = left(rule("all", {"type": "DROP_PROPERTIES", "fields": {"": ["userId", "properties"]}}))
    assert found == {"type": "track", "event": "Order Completed", "messageId": "m1"}


def test_only_the_objects_that_are_named_keep_only_what_is_allowed() -> None:
    event = {"properties": {"a": 1, "b": 2, "c": {"d": 3}}, "userId": "u"}
    found = left(rule("all", {"type": "ALLOW_PROPERTIES", "fields": {"properties": ["a"]}}), event=event)
    assert found == {"properties": {"a": 1}, "userId": "u"}


def test_an_event_that_nothing_changes_is_the_same_object() -> None:
    assert left(rule("all", {"type": "DROP_PROPERTIES", "fields": {"traits": ["x"]}})) is EVENT


@pytest.mark.parametrize(
    ("filters", "dropped"),
    [
        ([rule("event = 'Order Completed'", {"type": "DROP"}, title="No orders")], "No orders"),
        ([rule("event = 'Other'", {"type": "DROP"})], ""),
        ([rule("event = 'Order Completed'", {"type": "DROP"}, enabled=False)], ""),
        (
            [rule("!(type = 'track')", {"type": "DROP"}), rule("!(userId = 'bob')", {"type": "DROP"}, title="Bob")],
            "Bob",
        ),
        ([rule("event = ", {"type": "DROP"}, title="Broken")], "Broken"),
        ([rule("all", {"type": "EXPLODE"}, title="Unknown")], "Unknown"),
        ([rule("all", {"type": "SAMPLE", "percent": 0}, title="None")], "None"),
        ([rule("all", {"type": "SAMPLE", "percent": 1})], ""),
        ([rule("all", {"type": "drop_event"}, title="Old name")], "Old name"),
        ([rule("all", {"type": "DROP"}, title="")], "A filter"),
    ],
)
def test_an_event_is_kept_back_by_the_first_filter_that_says_so(filters: list[DestinationFilter], dropped: str) -> None:
    assert compile_filters(filters)(EVENT).dropped == dropped


def test_conditions_look_at_the_event_as_it_came_and_kinds_have_their_order() -> None:
    allow = rule("properties.a = 1", {"type": "ALLOW_PROPERTIES", "fields": {"properties": ["b"]}})
    drop = rule("properties.a = 1", {"type": "DROP_PROPERTIES", "fields": {"properties": ["b"]}})
    found = left(allow, drop)
    assert found is not None
    assert found["properties"] == {}


def test_a_sample_by_a_path_is_stable_and_near_its_share() -> None:
    sample = compile_filters([rule("all", {"type": "SAMPLE", "percent": 0.5, "path": "userId"})])
    kept = [not sample({"userId": f"u{number}", "messageId": str(number)}).dropped for number in range(2_000)]
    again = [not sample({"userId": f"u{number}", "messageId": "other"}).dropped for number in range(2_000)]
    assert kept == again
    assert 900 < sum(kept) < 1_100


@pytest.mark.parametrize(
    ("condition", "actions"),
    [
        ("event = ", [{"type": "DROP"}]),
        ("all", []),
        ("all", [{"type": "NOTHING"}]),
        ("all", [{"type": "SAMPLE"}]),
        ("all", [{"type": "SAMPLE", "percent": True}]),
        ("all", [{"type": "SAMPLE", "percent": 0.5, "path": 3}]),
        ("all", [{"type": "DROP_PROPERTIES"}]),
        ("all", [{"type": "ALLOW_PROPERTIES", "fields": {"properties": "a"}}]),
        ("all", [{"type": "ALLOW_PROPERTIES", "fields": {"properties": [1]}}]),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_when_it_is_saved(
    condition: str, actions: list[dict[str, Any]]
) -> None:
    with pytest.raises((FqlError, SenderError)):
        check_filter(condition, actions)


@given(st.dictionaries(st.sampled_from(["a", "b", "properties", "userId"]), JSONS))
def test_no_event_makes_a_filter_raise_or_is_changed_by_it(event: dict[str, Any]) -> None:
    before = copy.deepcopy(event)
    filters = [
        rule("properties.a = 1", {"type": "SAMPLE", "percent": 0.5, "path": "properties.a.b"}),
        rule("all", {"type": "DROP_PROPERTIES", "fields": {"properties.a": ["a"], "": ["b"]}}),
        rule("all", {"type": "ALLOW_PROPERTIES", "fields": {"properties": ["a"], "a.b": ["b"]}}),
    ]
    compile_filters(filters)(event)
    assert event == before
