"""Every enrichment in the folder keeps the promises of the room, and its cases come out as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.contracts.enrichments import Case, check_case, check_declaration, check_promises, read_cases
from headwater.pipeline.enrich import Assets, Enrich, definition, names, open_geoip
from headwater.spec.event import Event

CASES = Path(__file__).parents[1] / "cases" / "enrich"
ASSETS = Assets(geoip=open_geoip(""))
BUILT: dict[str, Enrich] = {name: definition(name).build(ASSETS) for name in names()}

words = st.sampled_from(
    ["", "?utm_source=a&utm_campaign=b", "https://x.com/?utm_medium=%ff#", "8.8.8.8", "::1", "fe80::1%eth0", "curl/8.0"]
)
texts = st.text(st.characters(exclude_categories=()), max_size=40) | words
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
pages = st.fixed_dictionaries({}, optional={"url": json, "search": json, "referrer": json, "title": json})
objects = st.fixed_dictionaries({}, optional={"name": json, "version": json, "country": json, "model": json})
contexts = st.fixed_dictionaries(
    {},
    optional={
        "page": pages | json,
        "userAgent": json,
        "ip": json,
        "campaign": objects | json,
        "referrer": objects | json,
        "os": objects | json,
        "device": objects | json,
        "browser": objects | json,
        "location": objects | json,
    },
)


@pytest.mark.parametrize("name", names())
def test_every_enrichment_declares_itself_whole(name: str) -> None:
    check_declaration(definition(name), name)


@pytest.mark.parametrize("name", names())
def test_every_enrichment_has_three_cases_and_they_come_out_as_written(name: str) -> None:
    cases = read_cases(CASES / f"{name}.yaml")
    assert len(cases) >= 3
    for case in cases:
        check_case(BUILT[name], case)
        check_promises(definition(name), BUILT[name], case.context)


@pytest.mark.parametrize("name", names())
@settings(max_examples=100, deadline=None)
@given(context=contexts)
def test_every_enrichment_bears_any_json(name: str, context: dict[str, Any]) -> None:
    check_promises(definition(name), BUILT[name], context)


def test_every_case_file_belongs_to_an_enrichment() -> None:
    assert sorted(file.stem for file in CASES.glob("*.yaml")) == names()


def overwrites(event: Event) -> None:
    event.body["context"]["referrer"] = {"type": "link"}


def adds_what_it_did_not_declare(event: Event) -> None:
    event.body["context"]["place"] = "here"


def takes_away(event: Event) -> None:
    event.body["context"].pop("referrer", None)


def reaches_beyond_the_context(event: Event) -> None:
    event.body["userId"] = "u1"


def says_more_each_time(event: Event) -> None:
    referrer = event.body["context"].setdefault("referrer", {})
    if isinstance(referrer, dict):
        referrer["name"] = referrer.get("name", "") + "x"


@pytest.mark.parametrize(
    "breach", [overwrites, adds_what_it_did_not_declare, takes_away, reaches_beyond_the_context, says_more_each_time]
)
def test_the_suite_finds_a_broken_promise(breach: Enrich) -> None:
    with pytest.raises(AssertionError):
        check_promises(definition("referrer"), breach, {"referrer": {"type": "search", "id": 1}})


def test_the_suite_finds_a_case_that_comes_out_otherwise() -> None:
    with pytest.raises(AssertionError, match="It shows"):
        check_case(BUILT["campaign"], Case(why="It shows.", context={}, becomes={"campaign": {}}))
