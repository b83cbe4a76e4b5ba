"""Events as calls, as lines of a list, and as a trail."""

import json

import msgspec
import pytest

from headwater.console.parts.events.calls import call_of, name_of, user_of
from headwater.console.parts.events.rows import Line, full_html, line_html, opened, trace_path
from headwater.spec.wire import JSON

NASTY = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("event", "call"),
    [
        (
            {"type": "track", "event": "Paid", "userId": "ada", "properties": {"total": 1}},
            '// userId: ada\nanalytics.track("Paid", {\n  "total": 1\n})',
        ),
        ({"type": "track", "event": "Paid", "anonymousId": "a1"}, '// anonymousId: a1\nanalytics.track("Paid")'),
        ({"type": "identify", "userId": "ada", "traits": {}}, 'analytics.identify("ada")'),
        (
            {"type": "identify", "anonymousId": "a1", "traits": {"plan": "pro"}},
            '// anonymousId: a1\nanalytics.identify({\n  "plan": "pro"\n})',
        ),
        (
            {"type": "page", "category": "Docs", "name": "Home", "userId": "ada", "properties": {}},
            '// userId: ada\nanalytics.page("Docs", "Home")',
        ),
        ({"type": "group", "groupId": "g", "userId": "ada"}, '// userId: ada\nanalytics.group("g")'),
        ({"type": "alias", "userId": "new", "previousId": "old"}, 'analytics.alias("new", "old")'),
    ],
)
def test_an_event_reads_as_the_call_that_sends_it(event: dict[str, JSON], call: str) -> None:
    assert call_of(event) == call


def test_a_call_tells_which_destinations_its_sender_chose() -> None:
    event = {"type": "track", "event": "Paid", "integrations": {"All": False}}
    assert "// integrations: {" in call_of(event)


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"type": "track", "event": "Paid"}, "Paid"),
        ({"type": "screen", "category": "Shop", "name": "Cart"}, "Shop / Cart"),
        ({"type": "page", "name": None}, ""),
        ({"type": "track", "event": 7}, "7"),
        ({}, ""),
    ],
)
def test_an_event_is_known_by_its_name(event: dict[str, JSON], name: str) -> None:
    assert name_of(event) == name


def test_an_event_is_of_its_user_and_else_of_its_anonymous_visitor() -> None:
    assert user_of({"userId": "ada", "anonymousId": "a1"}) == "ada"
    assert user_of({"userId": None, "anonymousId": "a1"}) == "a1"
    assert user_of({"type": "track"}) == ""


def line(event: JSON, *destinations: str) -> Line:
    return Line(
        id='0:7"',
        source_id="s1",
        message_id="m/1 ?",
        received_at="2026-03-04T05:06:07.089Z",
        destinations=destinations,
        body=msgspec.json.encode(event),
    )


def test_nothing_that_was_sent_is_read_as_html() -> None:
    event = {"type": NASTY, "event": NASTY, "userId": NASTY, "properties": {NASTY: NASTY}}
    names = {"s1": NASTY, "d1": NASTY}
    for shown in (
        line_html(line(event, "d1"), names, NASTY),
        full_html(line(event, "d1"), names, "UTC", raw=True),
        full_html(line(event, "d1"), names, "UTC", raw=False),
    ):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_a_line_tells_when_in_the_zone_of_whoever_looks() -> None:
    shown = line_html(line({"type": "track", "event": "Paid"}), {}, "Asia/Tokyo")
    assert "14:06:07" in shown
    assert "05:06:07.089 UTC" in shown


def test_a_line_names_two_destinations_and_counts_the_others() -> None:
    shown = line_html(line({"type": "track"}, "a", "b", "c", "d"), {"a": "Ads"}, "UTC")
    assert "Ads, b +2" in shown


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
def test_what_cannot_be_read_is_an_event_without_anything(body: bytes) -> None:
    assert opened(msgspec.structs.replace(line({}), body=body)) == {}


def test_the_address_of_a_trace_bears_any_message_id() -> None:
    assert trace_path("m/1 ?") == "/events/m%2F1%20%3F"


def test_raw_shows_every_field_as_json() -> None:
    event = {"type": "track", "event": "Paid", "context": {"ip": "::1"}}
    shown = full_html(line(event), {}, "UTC", raw=True)
    assert json.dumps(event["context"])[1:-1].replace('"', "&quot;") in shown
