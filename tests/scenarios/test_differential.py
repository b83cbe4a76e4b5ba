"""Triggers, mappings and payloads do what Segment's own code does with them, in thousands of generated cases.

`--chance` takes another seed. Where we do otherwise on purpose stands in `DECIDED` with its reason, and is held to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from differential_cases import event, fields, mapping, payload, trigger
from segment_code import alike, answers

from headwater import catalogue
from headwater.catalogue import declared, place
from headwater.catalogue.definitions import _field as as_field
from headwater.spec.fql import FqlError, compile_trigger, parse
from headwater.spec.mapping import MappingError, MappingFailed, compile_mapping
from headwater.spec.payload import compile_fields

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

TRIGGERS, TRIGGER_EVENTS = 5_000, 5
MAPPINGS, MAPPING_EVENTS = 5_000, 4
ACTIONS, SCHEMAS, PAYLOADS = 30, 60, 60
CASES = TRIGGERS * TRIGGER_EVENTS + MAPPINGS * MAPPING_EVENTS + (ACTIONS + SCHEMAS) * PAYLOADS


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Where we do otherwise, and why: a question with one event, and both answers."""

    why: str
    question: dict[str, Any]
    mine: Any
    theirs: Any


def _trigger(why: str, query: str, event: dict[str, Any], mine: Any, theirs: Any) -> Decided:
    question = {"ask": "trigger", "query": query, "events": [event]}
    return Decided(why=why, question=question, mine=mine, theirs=theirs)


def _mapping(why: str, part: Any, event: dict[str, Any], mine: Any, theirs: Any) -> Decided:
    question = {"ask": "mapping", "mapping": {"field": part}, "events": [event]}
    return Decided(why=why, question=question, mine=mine, theirs=theirs)


_TRACK = {"type": "track", "event": "Paid", "properties": {"n": 5, "0": 1}}
_FOUND, _NOT = [True], [False]
_MISREAD = "Segment passes over what it does not know, and reads something else than is written; we refuse it."
_SPACES = "Signs need no spaces around them with us, nor with the lexer of the catalogue's worker."
_INHERITED = "What every object of JavaScript inherits is nothing that an event has."
DECIDED = [
    _trigger(_SPACES, "properties.n>4", _TRACK, _FOUND, "refused"),
    _trigger(_SPACES, 'event!="Sent"', _TRACK, _FOUND, "refused"),
    _trigger(_SPACES, '! contains(event, "S")', _TRACK, _FOUND, "refused"),
    _trigger(_MISREAD, 'type = "page" OR type = "track"', _TRACK, "refused", _NOT),
    _trigger(_MISREAD, 'type = "page" and userId = "a" or event = "Paid"', _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, 'event == "Paid"', _TRACK, "refused", _NOT),
    _trigger(_MISREAD, "type = track", _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, '!(type = "track")', _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, "properties.0 = 1", _TRACK, "refused", _NOT),
    _trigger(_MISREAD, 'contains(type, "rac") and event = "Paid"', _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, 'match(event, "Paid")', _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, 'properties.n > "4"', _TRACK, "refused", _FOUND),
    _trigger(_MISREAD, '(contains(event, "Pa") or type = "page") and userId = null', _TRACK, "refused", _NOT),
    _trigger(_INHERITED, "properties.toString != null", _TRACK, _NOT, _FOUND),
    _trigger(
        "Whole numbers stay exact, however large.",
        "properties.n = 12345678901234567890",
        {"properties": {"n": 12345678901234567891}},
        _NOT,
        _FOUND,
    ),
    _mapping(
        "Counters of Liquid count by themselves, and never change the event that other fields read.",
        {"@liquid": "{% increment n %}{{ n }}"},
        {"n": 5},
        {"field": "05"},
        {"field": "56"},
    ),
    _mapping(
        "Liquid takes text apart into characters, of which none is a half.",
        {"@liquid": '{{ "😀" | split: "" | size }}'},
        {},
        {"field": "1"},
        {"field": "2"},
    ),
    _mapping(
        "Text is a moment for Liquid only if it is written as one.",
        {"@liquid": '{{ "room 7" | date: "%Y-%m" }}'},
        {},
        {"field": "room 7"},
        {"field": "2001-07"},
    ),
    _mapping(_INHERITED, {"@path": "$.event.constructor.name"}, _TRACK, {}, {"field": "String"}),
    _mapping(
        "Whole numbers stay exact, however large.",
        {"@path": "$.properties.n"},
        {"properties": {"n": 12345678901234567890}},
        {"field": 12345678901234567890},
        {"field": 12345678901234567000},
    ),
]


def mine(question: dict[str, Any]) -> Any:
    """What our code answers to a question of `ask.cjs`, in its form."""
    answer = {"trigger": _held, "mapping": _mapped, "payload": _prepared}
    return answer[question["ask"]](question)


def _held(question: dict[str, Any]) -> Any:
    try:
        holds = compile_trigger(parse(question["query"]))
    except FqlError:
        return "refused"
    return [holds(each) for each in question["events"]]


def _mapped(question: dict[str, Any]) -> Any:
    events = question["events"]
    try:
        run = compile_mapping(question["mapping"])
    except MappingError:
        return [FAILED] * len(events)
    return [_tried(run, each) for each in events]


def _tried(run: Callable[[dict[str, Any]], Any], event: dict[str, Any]) -> Any:
    try:
        made = run(event)
    except MappingFailed:
        return FAILED
    return {} if made is None else {"made": made}


def _prepared(question: dict[str, Any]) -> Any:
    found = (msgspec.convert(each, declared.Field) for each in question["listed"])
    prepare = compile_fields([as_field(each) for each in found])
    tried = (prepare(each, question["batch"]) for each in question["payloads"])
    return [FAILED if problems else {"made": made} for made, problems in tried]


FAILED = {"failed": ""}


def theirs(question: dict[str, Any], answer: Any) -> Any:
    """What Segment's code answered, without what it says of a failure."""
    if question["ask"] == "trigger":
        return answer["theirs"]
    return [FAILED if "failed" in each else each for each in answer]


def questions(random: Random) -> Iterator[dict[str, Any]]:
    """All cases of a seed."""
    for _ in range(TRIGGERS):
        yield {"ask": "trigger", "query": trigger(random), "events": [event(random) for _ in range(TRIGGER_EVENTS)]}
    for _ in range(MAPPINGS):
        yield {"ask": "mapping", "mapping": mapping(random), "events": [event(random) for _ in range(MAPPING_EVENTS)]}
    for name, listed in _all_fields(random):
        yield {
            "ask": "payload",
            "name": name,
            "fields": _keyed(listed),
            "listed": listed,
            "payloads": [payload(random, listed) for _ in range(PAYLOADS)],
            "batch": random.random() < 0.3,
        }


def _all_fields(random: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Fields of actions of the catalogue, and generated ones."""
    for slug in random.sample(catalogue.names(), ACTIONS):
        said = msgspec.json.decode((place.folder() / "destinations" / f"{slug}.json").read_bytes())
        action = random.choice(said["actions"])
        yield f"{slug} {action['slug']}", action["fields"]
    for number in range(SCHEMAS):
        yield f"generated {number}", fields(random)


def _keyed(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        each["key"]: {name: _keyed(said) if name == "properties" else said for name, said in each.items()}
        for each in listed
    }


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest) -> list[tuple[dict[str, Any], Any]]:
    """Every question with Segment's answer; those of DECIDED come first."""
    random = Random(request.config.getoption("--chance"))
    every = [*(each.question for each in DECIDED), *questions(random)]
    return list(zip(every, answers(every), strict=True))


def check(asked: list[tuple[dict[str, Any], Any]], kind: str) -> int:
    """Everything of a kind is answered alike, but what is decided. Returns how often something was made or held."""
    good = 0
    for question, answer in asked[len(DECIDED) :]:
        if question["ask"] == kind:
            own, other = mine(question), theirs(question, answer)
            assert alike(own, other), _first(question, own, other)
            good += sum(each not in (FAILED, False) for each in own)
    return good


def _first(question: dict[str, Any], own: Any, other: Any) -> str:
    """The first case of a question that is answered differently."""
    said = question.get("query") or question.get("mapping") or question.get("fields")
    given = question.get("events") or question.get("payloads")
    if not isinstance(own, list) or not isinstance(other, list):
        return f"{said}\nours: {own}\ntheirs: {other}"
    at = next(index for index, pair in enumerate(zip(own, other, strict=True)) if not alike(*pair))
    return f"{said}\nfor {given[at]}\nours: {own[at]}\ntheirs: {other[at]}"


def test_there_are_fifty_thousand_cases() -> None:
    assert CASES >= 50_000


def test_triggers_hold_for_the_same_events(asked: list[tuple[dict[str, Any], Any]]) -> None:
    assert check(asked, "trigger") > CASES // 20


def test_the_lexer_of_the_worker_reads_triggers_as_segments_does(asked: list[tuple[dict[str, Any], Any]]) -> None:
    for question, answer in asked[len(DECIDED) :]:
        if question["ask"] == "trigger":
            assert answer["ours"] == answer["theirs"], question["query"]


def test_mappings_make_the_same(asked: list[tuple[dict[str, Any], Any]]) -> None:
    assert check(asked, "mapping") > CASES // 10


def test_payloads_are_prepared_alike(asked: list[tuple[dict[str, Any], Any]]) -> None:
    assert check(asked, "payload") > CASES // 100


@pytest.mark.parametrize("index", range(len(DECIDED)))
def test_what_is_decided_still_differs(index: int, asked: list[tuple[dict[str, Any], Any]]) -> None:
    one, (question, answer) = DECIDED[index], asked[index]
    own, other = mine(question), theirs(question, answer)
    if question["ask"] == "mapping":
        own, other = own[0]["made"], other[0]["made"]
    assert (own, other) == (one.mine, one.theirs), one.why
    assert not alike(own, other)


def test_where_the_worker_reads_more_than_segment_we_read_the_same(asked: list[tuple[dict[str, Any], Any]]) -> None:
    for one, (question, answer) in zip(DECIDED, asked, strict=False):
        if one.why == _SPACES:
            assert answer["ours"] == mine(question)
