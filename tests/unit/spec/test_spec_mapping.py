"""Mappings: every case of tests/cases/spec, and whatever else somebody writes of whatever an event holds."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.spec.mapping import MappingError, MappingFailed, Problem, compile_mapping, mapped_paths, reference
from headwater.spec.mapping.checking import CHECKS
from headwater.spec.mapping.directives import DIRECTIVES
from headwater.spec.mapping.values import MAX_TEXT, number_text

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "mappings.md").read_text()
CASES = yaml.safe_load((ROOT / "tests" / "cases" / "spec" / "mappings.yaml").read_text())
EVENT = CASES[0]["common"]


def label(case: dict[str, Any]) -> str:
    return json.dumps(case.get("mapping", case.get("whole")))


@pytest.mark.parametrize("case", CASES[1:], ids=label)
def test_a_mapping_makes_what_its_case_says(case: dict[str, Any]) -> None:
    whole = case.get("whole", {"field": case.get("mapping")})
    if "refused" in case:
        with pytest.raises(MappingError) as refused:
            compile_mapping(whole)
        assert str(refused.value) == case["refused"]
        assert refused.value.code == "invalid_mapping"
        return
    make = compile_mapping(whole)
    event = copy.deepcopy(EVENT)
    if "fails" in case:
        with pytest.raises(MappingFailed) as failed:
            make(event)
        assert str(failed.value) == case["fails"]
    elif "whole" in case:
        assert make(event) == case["gives"]
    else:
        assert make(event) == ({} if case.get("omitted") else {"field": case["gives"]})
    assert event == EVENT


def test_the_whole_event_is_a_value() -> None:
    assert compile_mapping({"field": {"@path": "$."}})(EVENT) == {"field": EVENT}


def test_every_directive_is_looked_into() -> None:
    assert CHECKS.keys() == DIRECTIVES.keys()


def test_every_directive_is_on_the_page_with_an_example_that_can_be_used() -> None:
    assert reference.DIRECTIVES.keys() == DIRECTIVES.keys()
    event = {"userId": "u", "traits": {"email": "A@b.c", "phone": "+41"}, "properties": {"products": [{"id": 1}]}}
    for name, (example, _) in reference.DIRECTIVES.items():
        assert "field" in compile_mapping({"field": {name: example}})(event) or name == "@json"


def test_the_example_of_the_page_can_be_used() -> None:
    blocks = re.findall(r"^```json\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        compile_mapping(json.loads(block))


def test_a_problem_says_where_it_is() -> None:
    with pytest.raises(MappingError) as refused:
        compile_mapping({"a": {"b": {"@case": {"value": 5}}}})
    assert refused.value.problems == (Problem("/a/b/@case/value", "is a string or a directive, not a number"),)


@pytest.mark.parametrize("around", [{}, {"@if": {"exists": "x"}}, {"@literal": {}}])
def test_a_mapping_of_too_many_levels_is_refused(around: dict[str, Any]) -> None:
    node: Any = 1
    for _ in range(120):
        (name,) = around or {"k": 0}
        node = {"@if": {"exists": "x", "then": node}} if name == "@if" else {name: node}
    with pytest.raises(MappingError, match="more than 100 levels"):
        compile_mapping({"field": node})


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *[(1.0, "1"), (-0.0, "0"), (123456789.25, "123456789.25"), (1e20, "100000000000000000000")],
        *[(1.5e300, "1.5e+300"), (0.000001, "0.000001"), (-1.5e-7, "-1.5e-7"), (10**400, "Infinity")],
    ],
)
def test_numbers_are_written_as_javascript_does(number: float, written: str) -> None:
    assert number_text(number) == written


LONG = "{" * 20_000 + "a" * 10_000


@pytest.mark.parametrize(
    "mapping",
    [
        {"@template": "{{{long}}}" * 40},
        {"@replace": {"value": {"@path": "long"}, "pattern": "a", "replacement": "$`$'"}},
        {"@flatten": {"value": {"@path": "deep"}, "separator": "-" * 30_000}},
        {"@liquid": "{% assign x = long %}" + "{% assign x = x | append: x %}" * 30},
        {"@liquid": "{{ long | replace: '', long }}"},
        {"@replace": {"value": {"@template": "{{long}}" * 9}, "pattern": "{", "replacement": "1234567890"}},
        {"@liquid": "{{ long | json" + " | json" * 100 + "}}"},
        {"@liquid": "{% assign x = long %}" + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 15},
        {"@liquid": "{{ (1..100000000) | size }}"},
        {"@liquid": "{% assign x = 'a' | split: '' %}" + "{% assign x = x | push: x %}" * 30 + "{{ x }}"},
    ],
    ids=label,
)
def test_no_directive_makes_too_much(mapping: dict[str, Any]) -> None:
    deep: Any = 1
    for _ in range(90):
        deep = {"k": deep}
    with pytest.raises(MappingFailed, match=r"more text than a mapping may|output stream limit"):
        compile_mapping({"field": mapping})({"long": LONG, "deep": deep})
    assert MAX_TEXT == 1_000_000


def test_now_is_when_the_event_was_received() -> None:
    make = compile_mapping({"at": {"@liquid": "{{ 'now' | date: '%Y-%m-%d' }}{{ now }}"}})
    assert make({"receivedAt": "2021-02-03T04:05:06.789Z"}) == {"at": "2021-02-03"}
    assert make({}) == {"at": "now"}


def test_a_long_template_is_refused_where_it_stands() -> None:
    with pytest.raises(MappingFailed, match="at most 1,000 characters"):
        compile_mapping({"at": {"@liquid": "x" * 1_001}})({})


def test_what_a_mapping_reads_is_told() -> None:
    mapping = {
        "a": {"@path": "$.properties['a b'].c"},
        "b": {"@if": {"exists": {"@path": "$.userId"}, "then": {"@template": "{{ traits.name }} {{{userId}}}"}}},
        "c": {"@arrayPath": ["$.properties.products", {"id": {"@path": "$.id"}, "all": {"@path": "$."}}]},
        "d": {"@liquid": "{{ event.properties.x | upcase }}{% if traits.y %}{% endif %}"},
        "e": {"@transform": {"apply": {"p": {"@path": "context.ip"}}, "mapping": {"@path": "p"}}},
        "f": ["x", {"@path": "$."}],
    }
    assert mapped_paths(mapping) == (
        *("properties.a b.c", "userId", "traits.name", "properties.products", "properties.products[].id"),
        *("properties.products[]", "properties.x", "traits.y", "context.ip", ""),
    )


# Any mapping, of directives with any arguments and in any places, for any event.

PATHS = ["a", "b", "$.a", "a.b", "a[0]", "$.", "length", "a.length"]
NAMES = st.sampled_from([*PATHS, "{{a}}", "{{{b}}}", "upper", "left", "encode"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), NAMES)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3)
)
KEYS = ["exists", "blank", "then", "else", "value", "operator", "pattern", "replacement", "ignorecase"]
OPTIONS = st.sampled_from([*KEYS, "apply", "mapping", "objects", "direction", "separator", "omitArrays", "mode"])
NODES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.tuples(st.sampled_from(sorted(DIRECTIVES)), inner | st.dictionaries(OPTIONS, inner, max_size=4)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
    ),
    max_leaves=20,
)
EVENTS = st.dictionaries(st.sampled_from(["a", "b", "length"]), JSON, max_size=3)


@given(st.dictionaries(st.text(max_size=3), NODES, max_size=3), EVENTS)
@settings(max_examples=200, deadline=None)
def test_any_mapping_makes_json_of_any_event_or_says_why_not(mapping: dict[str, Any], event: dict[str, Any]) -> None:
    before = repr((mapping, event))
    try:
        make = compile_mapping(mapping)
        mapped_paths(mapping)
        made = make(event)
    except (MappingError, MappingFailed) as error:
        assert str(error).endswith(".")
        return
    assert repr(made) == repr(make(event))
    assert repr((mapping, event)) == before
    assert "Undefined" not in repr(made) or "Undefined" in before
    json.dumps(made)


WORDS = [
    *["{{", "}}", "{%", "%}", "a", "|", "if", "else", "endif", "==", "1", ",", ":", "."],
    "'x'",
    "[",
    "]",
    "upcase",
    "date",
    "assign",
    "=",
]
TEMPLATES = st.text(max_size=30) | st.lists(st.sampled_from(WORDS)).map(" ".join)


@given(TEMPLATES, EVENTS)
@settings(max_examples=150, deadline=None)
def test_any_template_of_liquid_makes_text_or_says_why_not(template: str, event: dict[str, Any]) -> None:
    try:
        made = compile_mapping({"field": {"@liquid": template}})(event)
    except MappingFailed:
        return
    assert isinstance(made["field"], str)


def test_what_is_made_can_be_written() -> None:
    msgspec.json.encode(compile_mapping({"all": {"@path": "$."}, "l": [{"@path": "nope"}]})(EVENT))
