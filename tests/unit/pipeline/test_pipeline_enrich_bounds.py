"""Enrichments look at a bounded part of what strangers send."""

from __future__ import annotations

from typing import Any

from headwater.pipeline.enrich import Assets, definition
from headwater.pipeline.enrich.campaign import read
from headwater.pipeline.enrich.referrer import classify
from headwater.spec.event import Event


def enriched(name: str, context: dict[str, Any]) -> dict[str, Any]:
    event = Event(body={"context": context}, source_id="s", received_at=0, position=0)
    definition(name).build(Assets())(event)
    return event.body["context"]


def test_a_campaign_has_at_most_twenty_facts() -> None:
    assert len(read("&".join(f"utm_{number}=x" for number in range(100)))) == 20


def test_parameters_beyond_the_hundredth_are_not_read() -> None:
    assert read("x=1&" * 100 + "utm_source=a") == {}


def test_a_query_too_long_is_read_up_to_its_last_whole_parameter() -> None:
    assert read("utm_source=a&utm_medium=" + "b" * 5_000) == {"source": "a"}


def test_a_parameter_with_an_overlong_name_is_not_read() -> None:
    assert read("utm_" + "n" * 100 + "=a") == {}


def test_broken_escapes_become_the_replacement_character() -> None:
    assert read("utm_source=%ff%zz") == {"source": "\ufffd%zz"}


def test_an_overlong_user_agent_is_not_parsed() -> None:
    agent = "Mozilla/5.0 Chrome/126.0.0.0 " + "x" * 1_024
    assert enriched("user_agent", {"userAgent": agent}) == {"userAgent": agent}


def test_an_overlong_referrer_is_not_repeated() -> None:
    url = "https://x.com/" + "a" * 3_000
    assert enriched("referrer", {"page": {"referrer": url}})["referrer"] == {"type": "social", "name": "X"}


def test_an_overlong_host_refers_to_nobody() -> None:
    assert "referrer" not in enriched("referrer", {"page": {"referrer": "https://" + "a" * 300 + ".example/"}})


def test_a_known_word_inside_another_host_is_not_that_host() -> None:
    assert classify("notgoogle.com") == ("link", "notgoogle.com")
    assert classify("google.com.evil.example") == ("link", "google.com.evil.example")
    assert classify("docs.google.com") == ("link", "docs.google.com")


def test_an_address_of_version_six_is_a_host() -> None:
    context = enriched("referrer", {"page": {"referrer": "http://[2001:db8::1]:8080/"}})
    assert context["referrer"]["name"] == "[2001:db8::1]"
