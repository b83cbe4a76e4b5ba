"""Every file of the catalogue keeps the promises of the room, and its cases come out as they are written."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.contracts.destination_trials import check_taken, check_trials
from headwater.contracts.destinations import (
    Case,
    check_case,
    check_declaration,
    check_secrets,
    items,
    read_cases,
    subscribed,
)
from headwater.contracts.doubles import OK, Answer
from headwater.deliver.ways import Way, whole_way
from headwater.destinations import COMMON_FIELDS, definition, own_names
from headwater.spec.destination import DestinationDefinition, Item
from headwater.spec.errors import SetupError

FOLDER = Path(__file__).parents[1] / "cases" / "destinations"
CASES = [
    pytest.param(slug, case, id=f"{slug}: {case.why}") for slug in own_names() for case in read_cases(FOLDER / slug)
]
SPEAKING_HTTP = [
    (slug, action.slug)
    for slug in own_names()
    for action in (*definition(slug).actions, definition(slug).action)
    if action is not None and action.steps is not None
]

BATCHING: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[bytes], int]]] = {
    "webhook": ({"batch_size": 4_000}, {}, lambda body: len(msgspec.json.decode(body))),
    "headwater": ({}, {}, lambda body: len(msgspec.json.decode(body)["batch"])),
    "mailchimp": ({}, {"status": "subscribed"}, lambda body: len(msgspec.json.decode(body)["members"])),
    "s3": ({}, {}, lambda body: len(gzip.decompress(body).splitlines())),
}
"""Settings and mapping with which a destination sends batches, and how many events a body of them has."""


@pytest.mark.parametrize("slug", own_names())
def test_a_destination_declares_everything_that_others_read_off_it(slug: str) -> None:
    check_declaration(definition(slug), slug)


@pytest.mark.parametrize(("slug", "action"), SPEAKING_HTTP)
def test_an_action_has_a_golden_case_that_sends_something(slug: str, action: str) -> None:
    whole = definition(slug).action is not None
    assert any(case.requests and (whole or case.action == action) for case in read_cases(FOLDER / slug)), (
        f"tests/cases/destinations/{slug} sends nothing with {action}."
    )


@pytest.mark.parametrize(("slug", "case"), CASES)
def test_a_case_comes_out_as_it_is_written(slug: str, case: Case) -> None:
    check_case(definition(slug), case)


@pytest.mark.parametrize(("slug", "case"), CASES)
def test_secrets_do_not_show(slug: str, case: Case) -> None:
    check_secrets(definition(slug), case)


def test_no_destination_uses_the_key_of_a_common_field() -> None:
    common = {field.key for field in COMMON_FIELDS}
    assert all(common.isdisjoint(field.key for field in definition(slug).fields) for slug in own_names())


def test_names_of_destinations_are_unique() -> None:
    every = [name for slug in own_names() for name in (definition(slug).name, *definition(slug).previous_names)]
    assert len(set(every)) == len(every)


def test_a_destination_that_is_not_in_the_catalogue_is_said_so() -> None:
    with pytest.raises(SetupError, match="no destination 'nowhere'"):
        definition("nowhere")


def test_every_folder_of_cases_belongs_to_a_destination() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} == set(own_names())


@pytest.mark.parametrize(("slug", "action"), SPEAKING_HTTP)
def test_no_event_is_lost_or_falsely_delivered_when_the_receiver_misbehaves(slug: str, action: str) -> None:
    declared = definition(slug)
    way, due = _sending(slug, action, 1)
    asyncio.run(check_trials(way.run, due, credentials=declared.credentials))


@pytest.mark.parametrize("slug", BATCHING)
def test_no_event_of_a_batch_is_lost_or_falsely_delivered(slug: str) -> None:
    way, due = _batching(slug, 3)
    asyncio.run(check_trials(way.run, due, credentials=definition(slug).credentials))


@pytest.mark.parametrize("slug", BATCHING)
def test_a_huge_batch_goes_out_whole(slug: str) -> None:
    way, due = _batching(slug, None)
    answer = Answer(body=b'{"errors":[]}') if slug == "mailchimp" else OK
    asyncio.run(check_taken(way.run, due, answer, bodies=BATCHING[slug][2], most=way.batch.items))


def _batching(slug: str, count: int | None) -> tuple[Way, list[Item]]:
    """The way of a destination that is set to batches, and so many events, by default as many as it takes."""
    settings, mapped, _ = BATCHING[slug]
    action = next(each for name, each in SPEAKING_HTTP if name == slug)
    way, _ = _sending(slug, action, 1, settings=settings, mapped=mapped)
    return _sending(slug, action, count or way.batch.items, settings=settings, mapped=mapped)


def _sending(
    slug: str, action: str, count: int, *, settings: dict[str, Any] | None = None, mapped: dict[str, Any] | None = None
) -> tuple[Way, list[Item]]:
    """The way of a destination's first case that sends something with an action, and so many of its events."""
    declared = definition(slug)
    whole = declared.action is not None
    cases = [case for case in read_cases(FOLDER / slug) if case.requests and (whole or case.action == action)]
    case = msgspec.structs.replace(cases[0], settings={**cases[0].settings, **(settings or {})})
    if mapped:
        case = msgspec.structs.replace(case, mapped={**case.mapped, **mapped})
    event = case.events[0] if isinstance(case.events[0], dict) else msgspec.json.decode(case.events[0])
    return _way(declared, case), items([_numbered(event, number) for number in range(count)])


def _way(declared: DestinationDefinition, case: Case) -> Way:
    return whole_way(declared, case.settings, None) if declared.action is not None else subscribed(declared, case)


def _numbered(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The same event of another person."""
    made = {**event, "messageId": f"m{number}"}
    traits = event.get("traits")
    return {**made, "traits": {**traits, "email": f"u{number}@example.com"}} if isinstance(traits, dict) else made
