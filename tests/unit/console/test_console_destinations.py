"""Destinations, catalogues and what became of events, as they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.console.pages.destinations import fitting
from headwater.console.parts.destinations.cards import Card, cards_html, categories, find, initials
from headwater.console.parts.destinations.delivery import took
from headwater.console.parts.destinations.funnel import funnel, sums
from headwater.console.parts.destinations.redriving import asked, became
from headwater.console.parts.destinations.state import state_of
from headwater.console.parts.destinations.trying import about_requests, steps_html
from headwater.manage.operations.latency import LatencyPoint
from headwater.manage.operations.ledger import Account
from headwater.manage.operations.overview import DestinationOverview, LastFailure
from headwater.manage.operations.parked import RedriveDeliveries
from headwater.manage.operations.preview import PreviewStep

NASTY = "<img src=x onerror=alert(1)>"
CARDS = [
    Card("/c/amplitude", "Amplitude", "Product analytics.", ("Analytics",)),
    Card(
        "/c/webhook", "Webhook", "Sends events to any URL, also for analytics.", ("Raw Data",), ("Webhooks (Actions)",)
    ),
    Card("/c/x", NASTY, NASTY, (NASTY,)),
]


def overview(**change: Any) -> DestinationOverview:
    plain: dict[str, Any] = {
        "id": "d",
        "name": "D",
        "definition": "webhook",
        "source_id": "s",
        "source_name": "S",
        "enabled": True,
        "paused": False,
        "credentials_refused": False,
        "matched": 10,
        "delivered": 10,
        "failed": 0,
        "filtered": 0,
        "pending": 0,
        "p50": 1.0,
        "p99": 2.0,
        "last_delivered_at": "2026-01-01T00:00:10.000Z",
        "last_failure": None,
    }
    return DestinationOverview(**(plain | change))


FAILURE = LastFailure(at="2026-01-01T00:00:20.000Z", reason="TIMEOUT", meaning="")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "enabled"),
        ({"enabled": False}, "switched off"),
        ({"paused": True}, "paused"),
        ({"paused": True, "credentials_refused": True}, "credentials refused"),
        ({"delivered": 0, "pending": 3}, "failing"),
        ({"failed": 1, "last_failure": FAILURE}, "failing"),
        ({"failed": 1, "last_failure": FAILURE, "last_delivered_at": "2026-01-01T00:00:30.000Z"}, "enabled"),
        ({"matched": 0, "delivered": 0}, "enabled"),
    ],
)
def test_the_state_says_who_has_to_do_something(change: dict[str, Any], word: str) -> None:
    assert state_of(overview(**change))[0] == word


def test_a_list_of_destinations_is_searched_by_name_kind_source_and_state() -> None:
    found = [overview(), overview(name="Other", delivered=0, pending=1)]
    assert [one.name for one in fitting(found, "webhook FAILING")] == ["Other"]
    assert fitting(found, "") == found


def test_a_search_finds_words_in_names_former_names_and_categories() -> None:
    assert [one.name for one in find(CARDS, "analytics", "")] == ["Amplitude", "Webhook"]
    assert [one.name for one in find(CARDS, "WEBHOOKS actions", "")] == ["Webhook"]
    assert [one.name for one in find(CARDS, "", "Raw Data")] == ["Webhook"]
    assert find(CARDS, "analytics nothing", "") == []
    assert categories(CARDS)[1:] == ["Analytics", "Raw Data"]


def test_what_a_definition_says_is_shown_as_text() -> None:
    assert "<img" not in cards_html(CARDS)
    assert "<img" not in steps_html([PreviewStep(step=NASTY, name=NASTY, passed=False, reason=NASTY, meaning=NASTY)])


@pytest.mark.parametrize(
    ("name", "letters"), [("Google Ads", "GA"), ("webhook", "We"), ("Ü", "Ü"), ("", ""), ("4you now", "4n")]
)
def test_initials_stand_for_a_picture(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_bars_are_shares_of_what_matched() -> None:
    accounts = [
        Account(
            source_id=source,
            destination_id="d",
            steps={"matched": 4, "delivered": 3},
            reasons=[],
            balanced=True,
            open=0,
        )
        for source in ("a", "b")
    ]
    steps = sums(accounts)
    assert steps == {"matched": 8, "delivered": 6}
    assert "width:75.00%" in funnel(steps, as_percent=True)
    assert '<b class="number">75 %</b>' in funnel(steps, as_percent=True).replace("75.0 %", "75 %")
    assert '<b class="number">6</b>' in funnel(steps, as_percent=False)
    assert "–" in funnel({}, as_percent=True)


@pytest.mark.parametrize(
    ("before", "now", "became_of"),
    [
        ({}, {"pending": 5}, (0, 0, 5)),
        ({"delivered": 7}, {"delivered": 9, "pending": 1}, (2, 2, 1)),
        ({"delivered": 7}, {"delivered": 99}, (5, 0, 0)),
        ({}, {"failed_delivery": 5}, (0, 5, 0)),
    ],
)
def test_what_is_sent_again_is_delivered_fails_or_waits(
    before: dict[str, int], now: dict[str, int], became_of: tuple[int, int, int]
) -> None:
    assert became(5, before, now) == became_of


@pytest.mark.parametrize(
    ("found", "wanted", "text"),
    [
        (1, {}, "Send 1 delivery that failed again?"),
        (1_200, {"reason": "BAD_REQUEST"}, "Send 1,200 deliveries that failed with BAD_REQUEST again?"),
        (0, {}, "No delivery that failed is left."),
        (0, {"to": "2026-01-01T00:00:00Z"}, "No delivery that failed was parked in this time."),
    ],
)
def test_sending_again_asks_for_as_many_as_there_are(found: int, wanted: dict[str, Any], text: str) -> None:
    assert asked(found, RedriveDeliveries(destination_id="d", **wanted)) == text


def test_ages_of_all_mappings_are_told_as_such_beside_figures_of_one() -> None:
    whole = LatencyPoint(time="2026-01-01T00:00:00.000Z", events=2, p50=20.0, p95=40.0, p99=40.0)
    assert took(whole) == "2 delivered: half of them within 20 ms, 95 % of them within 40 ms, 99 % of them within " + (
        "40 ms of being received."
    )
    assert took(whole, of_one=True).endswith("This is of all mappings together.")


def test_requests_of_an_event_that_is_stopped_are_not_shown_as_if_they_were_sent() -> None:
    assert [about_requests(number, stopped=False) for number in (1, 2)] == ["Request", "Requests"]
    assert about_requests(1, stopped=True) == "Request, if nothing stopped the event"
