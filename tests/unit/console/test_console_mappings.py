"""Triggers, mapped values and filters as forms have them, and back."""

import json
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from headwater.console.parts.destinations.filter_rules import Rule, action_of, fields_of, rule_of, said
from headwater.console.parts.mappings.hooks import inputs_of, offered
from headwater.console.parts.mappings.triggers import SIGNS, Built, Row, problem_of, rows_of, text_of
from headwater.console.parts.mappings.values import given, literals, shown, with_key
from headwater.manage.answers import ActionField, HookShape
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


@pytest.mark.parametrize(
    "text",
    [
        '(type = "track" or type = "page") and event = "A"',
        "type = 'track'",
        "x = true",
        r'type = "track" and properties.a\.b = "x"',
        r'contains(properties.a\.b, "x")',
        r'!contains(properties.a\.b, "x")',
    ],
)
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


def test_what_is_the_same_for_every_event_is_kept_of_a_mapping() -> None:
    mapping: dict[str, Any] = {
        "list": "l1",
        "email": {"@path": "$.properties.email"},
        "details": {"type": "contact", "id": {"@template": "{{userId}}"}},
        "tags": ["a", {"@path": "$.event"}],
    }
    assert literals(mapping) == {"list": "l1", "details": {"type": "contact"}, "tags": ["a"]}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", {"size": {"@path": "$.properties.size"}}),
        ('{"a": 1}', {"a": 1, "size": {"@path": "$.properties.size"}}),
        ('{"size": "L"}', {"size": "L"}),
    ],
)
def test_a_key_is_added_to_an_object_and_takes_nothing_away(text: str, after: dict[str, Any]) -> None:
    assert json.loads(with_key(text, "size")) == after


@pytest.mark.parametrize("text", ["[1]", '{"@path": "$.properties"}', "{"])
def test_a_key_is_added_to_nothing_but_an_object(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        with_key(text, "size")


def test_the_hook_for_reverse_etl_is_offered_only_where_there_is_no_other() -> None:
    plain, reverse = (
        HookShape(slug=slug, label="Make a list", description="", fields=[])
        for slug in ("onMappingSave", "retlOnMappingSave")
    )
    assert offered([reverse, plain]) == [plain]
    assert offered([reverse]) == [reverse]


def test_a_hook_gets_several_values_where_it_takes_them() -> None:
    one, several = (
        ActionField(
            id=key,
            sort_order=0,
            field_key=key,
            label=key,
            type="STRING",
            description="",
            placeholder="",
            default_value=None,
            required=False,
            multiple=key == "several",
            choices=None,
            dynamic=False,
            allow_null=False,
            hidden=False,
        )
        for key in ("one", "several")
    )
    given = {"one": "a, b", "several": "a, b,"}
    assert inputs_of([one, several], given) == {"one": "a, b", "several": ["a", "b"]}
    assert inputs_of([several], {"several": ["a"]}) == {"several": ["a"]}
