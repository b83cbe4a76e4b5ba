"""Payloads: every case of tests/cases/spec, the formats of fields, and whatever else a mapping makes."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.spec.destination import Field
from headwater.spec.payload import compile_fields
from headwater.spec.payload.formats import FORMATS

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "spec" / "payloads.yaml").read_text()
)


def field(said: dict[str, Any]) -> Field:
    own = tuple(map(field, said.get("properties", [])))
    return msgspec.structs.replace(
        msgspec.convert({"label": "", "description": "", **said, "properties": []}, Field), properties=own
    )


def payloads() -> list[Any]:
    return [
        pytest.param(case["fields"], payload, id=f"{case['why']} {json.dumps(payload['given'], default=str)}")
        for case in CASES
        for payload in case["payloads"]
    ]


@pytest.mark.parametrize(("fields", "case"), payloads())
def test_a_payload_becomes_what_its_case_says(fields: list[dict[str, Any]], case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["given"])
    made, problems = compile_fields(tuple(map(field, fields)))(case["given"], case.get("batch", False))
    assert problems == case.get("problems", [])
    if "gives" in case:
        assert made == case["gives"]
        assert [type(each) for each in made.values()] == [type(each) for each in case["gives"].values()]
    assert case["given"] == before


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2024-02-29 2000-02-29", "2023-02-29 1900-02-29 2024-13-01 2024-1-01 20240101"),
        ("time", "10:20:30 10:20:30.5z 23:59:60Z 10:20:30+01 10:20:30-01:30", "24:00:00 10:20 10:60:00 10:20:30+1"),
        ("date-time", "2024-03-05T10:20:30Z 2024-03-05t10:20:30", "2024-03-05 10:20:30 2024-03-05TT10:20:30"),
        ("email", "a@b.co A.b+c_d@x-y.example.org", "a@b a@ @b.co a..b@c.de a@-b.co a@b_c.de a@b@c.de é@b.co"),
        ("hostname", "a a.b-c.example a.", "-a a- a..b é a_b . " + "a" * 64),
        ("ipv4", "1.2.3.4 255.255.255.255 001.2.3.4", "1.2.3 256.1.1.1 1.2.3.4.5 1.2.3.x ١.2.3.4"),
        ("ipv6", ":: ::1 1:2:3:4:5:6:7:8 ::ffff:1.2.3.4", "1::2::3 ::g ::1%eth0 12345::"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000 urn:uuid:123E4567-E89B-12D3-A456-426614174000", "123e4567 x"),
        ("uri", "http://a.b/c?d=%20#e http:/a urn:x:y http://[::1]:80/ a:b", "a a: http://[x]/ http://é/ //a.b x:%zz"),
        ("uri-reference", "a /a/b ?q #f //h/p ../x http://a.b", "%zz é a\\b http://[x]/ ##"),
        ("date-like", "2024 2024-3 3/7/2024 7.March.24 (a)2024 1709622489", "x 2024x 24:01,2024 soon 12:30pm,2024-01"),
    ],
)
def test_a_format_takes_what_is_of_it(name: str, right: str, wrong: str) -> None:
    holds = FORMATS[name][0]
    assert [each for each in right.split(" ") if not holds(each)] == []
    assert [each for each in wrong.split(" ") if holds(each)] == []


@pytest.mark.parametrize(
    ("text", "right"),
    [
        *[("Tue, 05 Mar 2024 07:08:09 GMT", True), ("March 7", True), ("the 7th of March", False), ("soon 2024", True)],
        *[("2024-03-05T24:00:00", True), ("2024-03-05T24:00:01Z", False), ("2024-02-31", True), ("2024-13-01Z", False)],
        *[("10 July 2024 5:00 PM PST", True), ("10 July 2024 13:00 PM", False), ("2024-03-05T10:20+25:00", False)],
        *[
            ("", False),
            ("1.5", True),
            ("8640000000001", False),
            ("+275761-01-01", False),
            ("1:2:3.4 1/1/1 GMT+1", True),
        ],
    ],
)
def test_dates_are_read_as_widely_as_javascript_reads_them(text: str, right: bool) -> None:
    assert FORMATS["date-like"][0](text) is right


def test_of_very_many_problems_only_some_are_told() -> None:
    listed = Field(key="n", label="", description="", type="number", multiple=True)
    problems = compile_fields([listed])({"n": ["x"] * 1_050}, False)[1]
    assert problems[49:] == ["/n/49 is a number, not a string.", "/ has 1,000 more problems."]


KEYS = st.sampled_from(["a", "b", "c", "dynamicAuthSettings"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["5", "", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
WHEN = st.fixed_dictionaries(
    {"match": st.sampled_from(["any", "all"])},
    optional={
        "conditions": st.lists(
            st.fixed_dictionaries(
                {"fieldKey": st.sampled_from(["a", "b", "a.b"]), "operator": st.sampled_from(["is", "is_not"])},
                optional={"value": st.none() | st.booleans() | st.sampled_from([0, "5"])},
            ),
            max_size=3,
        )
    },
)
PLAIN = st.builds(
    Field,
    key=KEYS,
    label=st.just(""),
    description=st.just(""),
    type=st.sampled_from(
        ["string", "text", "number", "integer", "datetime", "boolean", "password", "object", "strange"]
    ),
    required=st.booleans(),
    multiple=st.booleans(),
    allow_null=st.booleans(),
    additional_properties=st.booleans(),
    format=st.sampled_from(["", "strange", *FORMATS]),
    choices=st.sampled_from([(), ("5", "true")]),
    minimum=st.none() | st.integers(0, 3),
    required_when=st.just({}) | WHEN,
)
FIELDS = st.lists(
    st.builds(lambda one, own: msgspec.structs.replace(one, properties=tuple(own)), PLAIN, st.lists(PLAIN, max_size=2)),
    max_size=3,
)


@given(FIELDS, JSON, st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_payload_is_prepared_for_any_fields_or_has_problems(fields: list[Field], payload: Any, batch: bool) -> None:
    before = repr(payload)
    made, problems = compile_fields(fields)(payload, batch)
    assert repr(payload) == before
    assert all(problem.startswith("/") and problem.endswith(".") for problem in problems)
    assert "Undefined" not in repr(made)
    json.dumps(made)


@given(st.text())
@settings(deadline=None)
def test_any_text_is_of_a_format_or_is_not(text: str) -> None:
    for holds, _ in FORMATS.values():
        assert holds(text) in (True, False)
