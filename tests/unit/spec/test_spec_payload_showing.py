"""Which fields a form shows, and marks as needed, by the values of the others."""

from typing import Any

import pytest

from headwater.spec.payload.showing import is_needed, is_shown

PATH = {"@path": "$.properties.kind"}


def asked(operator: str, value: Any = None, *, key: str = "kind") -> dict[str, Any]:
    return {"fieldKey": key, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("condition", "values", "shown"),
    [
        (asked("is", "list"), {"kind": "list"}, True),
        (asked("is", "list"), {"kind": "other"}, False),
        (asked("is", "list"), {}, False),
        (asked("is", "list"), {"kind": PATH}, True),
        (asked("is", ["list", "tag"]), {"kind": "tag"}, True),
        (asked("is", ["list", "tag"]), {"kind": "other"}, False),
        (asked("is_not", ["list", "tag"]), {"kind": "tag"}, False),
        (asked("is_not", "list"), {}, True),
        (asked("is_not", "list"), {"kind": "list"}, False),
        (asked("is", True), {"kind": True}, True),
        (asked("is", True), {"kind": 1}, False),
        (asked("is_not", ""), {}, False),
        (asked("is", ""), {}, True),
        (asked("is_not"), {"kind": "x"}, True),
        ({"fieldKey": "kind", "operator": "is"}, {}, True),
        (asked("is", "b", key="kind.a"), {"kind": {"a": "b"}}, True),
        (asked("is", "b", key="kind.a"), {"kind": "b"}, False),
    ],
)
def test_a_field_is_shown_as_its_condition_asks(condition: dict[str, Any], values: dict[str, Any], shown: bool) -> None:
    assert is_shown({"match": "all", "conditions": [condition]}, values, unknown=_is_path) is shown
    assert is_shown({"conditions": [condition, condition]}, values, unknown=_is_path) is shown


@pytest.mark.parametrize(("match", "shown"), [("all", False), ("any", True), (None, False)])
def test_several_conditions_are_all_asked_unless_any_will_do(match: str | None, shown: bool) -> None:
    conditions = [asked("is", "list"), {"type": "syncMode", "operator": "is", "value": "delete"}]
    when = {"conditions": conditions} | ({"match": match} if match else {})
    assert is_shown(when, {"kind": "list"}, mode="upsert") is shown
    assert is_shown(when, {"kind": "list"}, mode="delete") is True


def test_a_field_without_conditions_is_shown_and_not_needed() -> None:
    assert is_shown({}, {}) is True
    assert is_needed({}, {}) is False


@pytest.mark.parametrize(
    ("condition", "values", "needed"),
    [
        (asked("is", "list"), {"kind": "list"}, True),
        (asked("is", "list"), {}, False),
        (asked("is_not", "list"), {}, False),
        ({"fieldKey": "kind", "operator": "is"}, {}, True),
        ({"fieldKey": "kind", "operator": "is"}, {"kind": "list"}, False),
    ],
)
def test_a_field_is_needed_where_the_engine_would_miss_it(
    condition: dict[str, Any], values: dict[str, Any], needed: bool
) -> None:
    before = dict(values)
    assert is_needed({"match": "all", "conditions": [condition]}, values) is needed
    assert values == before


def _is_path(value: Any) -> bool:
    return value == PATH
