"""Triggers, mapped values and filters as forms have them, and back."""

from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from headwater.console.parts.destinations.filter_rules import Rule, action_of, fields_of, rule_of, said
from headwater.console.parts.mappings.triggers import SIGNS, Built, Row, problem_of, rows_of, text_of
from headwater.console.parts.mappings.values import given, shown
from headwater.spec.fql import compile_trigger, parse

ROWS = st.builds(
    Row,
    field=st.sampled_from(["event", "userId", "properties.total", "properties.a b", "context.page.url", "traits.x-y"]),
    sign=st.sampled_from([sign for sign in SIGNS if sign not in (">", ">=", "<", "<=")]),
    value=st.text(alphabet="abc XYZ._-0", min_size=1, max_size=8),
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('type = "track"', [Row("type", "is", "track")]),
        ('type = "track" and event != "A"', [Row("type", "is", "track"), Row("event", "is not", "A")]),
        ('type = "track" or type = "page"', [Row("type", "is", "track"), Row("type", "is", "page")]),
        ("properties.total > 5", [Row("properties.total", ">", "5", number=True)]),
        ("properties.total = 2.5", [Row("properties.total", "is", "2.5", number=True)]),
        ("userId != null", [Row("userId", "exists")]),
        ("userId = null", [Row("userId", "does not exist")]),
        ('!contains(event, "x")', [Row("event", "does not contain", "x")]),
        ('match(event, "Sign*")', [Row("event", "starts with", "Sign")]),
        ('match(event, "*ed")', [Row("event", "ends with", "ed")]),
    ],
)
def test_a_trigger_is_rows_and_rows_are_the_trigger(text: str, rows: list[Row]) -> None:
    built = rows_of(text)
    assert built is not None
    assert list(built.rows) == rows
    assert parse(text_of(built)) == parse(text)


@pytest.mark.parametrize("text", ['(type = "track" or type = "page") and event = "A"', "type = 'track'", "x = true"])
def test_what_rows_cannot_say_stays_text(text: str) -> None:
    assert rows_of(text) is None


def test_what_cannot_be_read_has_a_problem_with_its_place() -> None:
    problem = problem_of('type = "track" and')
    assert problem is not None
    assert problem.position == 18
    assert problem_of('type = "track"') is None


@examples(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from(["and", "or"]))
def test_rows_that_a_form_makes_can_be_read_again(rows: list[Row], joined: Any) -> None:
    built = Built(tuple(rows), joined if len(rows) > 1 else "and")
    text = text_of(built)
    again = rows_of(text)
    assert again is not None
    assert text_of(again) == text
    compile_trigger(parse(text))


@pytest.mark.parametrize(
    ("value", "kind", "text", "type"),
    [
        (None, "nothing", "", "string"),
        ("Ada", "text", "Ada", "string"),
        (5, "text", "5", "integer"),
        (2.5, "text", "2.5", "number"),
        (True, "text", "true", "boolean"),
        ({"@path": "$.userId"}, "field", "$.userId", "string"),
        ({"@template": "{{userId}}!"}, "template", "{{userId}}!", "string"),
        ({"a": 1}, "json", '{\n  "a": 1\n}', "object"),
        ({"@if": {"exists": 1}}, "json", '{\n  "@if": {\n    "exists": 1\n  }\n}', "string"),
    ],
)
def test_a_mapped_value_is_shown_and_given_back(value: Any, kind: str, text: str, type: str) -> None:
    assert shown(value) == (kind, text)
    assert given(kind, text, type) == value


@pytest.mark.parametrize(
    ("kind", "text", "type"),
    [("json", "{", "object"), ("text", "many", "number"), ("text", "perhaps", "boolean"), ("field", " ", "string")],
)
def test_what_is_no_value_says_so(kind: str, text: str, type: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        given(kind, text, type)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Rule("DROP"), "does not send the event"),
        (Rule("SAMPLE", 25.0, "userId"), "sends 25 % of them, by userId"),
        (
            Rule("DROP_PROPERTIES", fields="properties: email, phone\nevent: userId"),
            "removes properties: email, phone; event: userId",
        ),
        (Rule("ALLOW_PROPERTIES", fields="context.page: url"), "keeps only context.page: url"),
    ],
)
def test_a_filter_is_a_form_and_back(rule: Rule, sentence: str) -> None:
    action = action_of(rule)
    assert said([action]) == sentence
    again = action_of(rule_of(action))
    assert again == action


def test_the_event_itself_is_the_empty_path() -> None:
    assert fields_of("event: userId\nproperties: a,  b ,") == {"": ["userId"], "properties": ["a", "b"]}


@pytest.mark.parametrize("text", ["", "properties", "properties:", ": a" * 0])
def test_fields_that_name_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        fields_of(text)
