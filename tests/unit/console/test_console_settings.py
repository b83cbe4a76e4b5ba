"""What a form of settings asks for, from what a person gave."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.console.parts.forms.values import REMOVE, changes, kind_of
from headwater.manage.answers import Option
from headwater.manage.forms import MASK


def option(name: str, type: str = "string", **more: Any) -> Option:
    return Option(
        name=name,
        type=type,
        required=more.get("required", False),
        description="",
        default_value=more.get("default"),
        label=name,
        choices=list(more.get("choices", ())),
    )


@pytest.mark.parametrize(
    ("asked", "given", "before", "wanted"),
    [
        (option("a"), "", {}, {}),
        (option("a"), "  x ", {}, {"a": "x"}),
        (option("a"), "x", {"a": "x"}, {}),
        (option("a"), "", {"a": "x"}, {"a": None}),
        (option("a", "number", default=0), 0.0, {}, {}),
        (option("a", "number", default=0), 20.0, {}, {"a": 20}),
        (option("a", "number"), 2.5, {"a": 2}, {"a": 2.5}),
        (option("a", "number"), None, {"a": 2}, {"a": None}),
        (option("a", "boolean", default=True), True, {}, {}),
        (option("a", "boolean", default=True), False, {}, {"a": False}),
        (option("a", "boolean"), False, {"a": True}, {"a": False}),
        (option("a", "password"), "", {"a": MASK}, {}),
        (option("a", "password"), "new", {"a": MASK}, {"a": "new"}),
        (option("a", "password"), REMOVE, {"a": MASK}, {"a": None}),
        (option("a", "list"), "one\n two \n\n", {}, {"a": ["one", "two"]}),
        (option("a", "list"), "", {"a": ["one"]}, {"a": None}),
        (option("a", "list", choices=("x", "y")), ["y"], {"a": ["x"]}, {"a": ["y"]}),
        (option("a", "map"), [("k", "v"), ("", "")], {}, {"a": {"k": "v"}}),
        (option("a", "secrets"), [("k", None)], {"a": {"k": MASK}}, {}),
        (option("a", "secrets"), [("k", None), ("l", "w")], {"a": {"k": MASK}}, {"a": {"k": MASK, "l": "w"}}),
        (option("a", "secrets"), [], {"a": {"k": MASK}}, {"a": None}),
        (option("a", "oauth"), '{"x": [1]}', {}, {"a": {"x": [1]}}),
    ],
)
def test_only_what_was_changed_is_asked_for(asked: Option, given: Any, before: Any, wanted: Any) -> None:
    assert changes([asked], {"a": given}, before) == (wanted, {})


@pytest.mark.parametrize(
    ("asked", "given", "before", "said"),
    [
        (option("a", required=True), " ", {}, "Needed."),
        (option("a", required=True), "", {"a": "x"}, "Needed."),
        (option("a", "password", required=True), "", {}, "Needed."),
        (option("a", "number"), "many", {}, "This is not a number."),
        (option("a", "number"), float("inf"), {}, "This is not a number."),
        (option("a", "map"), [("", "v")], {}, "A line has a value but no name."),
        (option("a", "map"), [("k", "v"), ("k", "w")], {}, "“k” is there twice."),
        (option("a", "secrets"), [("l", None)], {"a": {"k": MASK}}, "“l” was renamed; type its value again."),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_setting(asked: Option, given: Any, before: Any, said: str) -> None:
    assert changes([asked], {"a": given}, before) == ({}, {"a": said})


def test_a_required_secret_that_is_set_and_a_default_need_no_answer() -> None:
    asked = [option("a", "password", required=True), option("b", "select", required=True, default="x", choices=("x",))]
    assert changes(asked, {"a": "", "b": None}, {"a": MASK}) == ({}, {})


def test_a_value_without_a_simple_form_is_asked_for_as_json() -> None:
    assert kind_of(option("a", "list"), [{"x": 1}]) == "json"
    assert kind_of(option("a", "map"), {"x": 1}) == "json"
    assert kind_of(option("a", "depends"), None) == "json"
    assert kind_of(option("a", "select"), None) == "string"
