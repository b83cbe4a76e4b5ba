"""The catalogue of enrichments: finding, ordering and preparing them."""

from __future__ import annotations

import re

import msgspec
import pytest

from headwater.pipeline import enrich
from headwater.spec.errors import SetupError
from headwater.spec.event import Event
from headwater.spec.settings import PipelineSettings


def test_the_folder_is_the_catalogue() -> None:
    assert enrich.names() == ["campaign", "geoip", "referrer", "user_agent"]


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(SetupError, match=r"'nope'; choose from campaign, geoip"):
        enrich.definition("nope")


def test_a_name_that_would_leave_the_folder_is_unknown() -> None:
    with pytest.raises(SetupError):
        enrich.definition("campaign.os")


def test_every_default_enrichment_exists() -> None:
    assert set(PipelineSettings().enrichments) == set(enrich.names())


def test_an_enrichment_comes_after_those_whose_facts_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = {name: enrich.definition(name) for name in enrich.names()}
    declared["campaign"] = msgspec.structs.replace(declared["campaign"], after=("referrer", "geoip"))
    monkeypatch.setattr(enrich, "definition", declared.__getitem__)
    assert [each.name for each in enrich.in_order(["campaign", "user_agent", "referrer"])] == [
        "user_agent",
        "referrer",
        "campaign",
    ]


def test_enrichments_that_wait_for_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = {name: enrich.definition(name) for name in enrich.names()}
    declared["campaign"] = msgspec.structs.replace(declared["campaign"], after=("referrer",))
    declared["referrer"] = msgspec.structs.replace(declared["referrer"], after=("campaign",))
    monkeypatch.setattr(enrich, "definition", declared.__getitem__)
    with pytest.raises(SetupError, match="each wait for another"):
        enrich.in_order(["campaign", "referrer"])


def test_what_the_settings_name_is_prepared() -> None:
    functions = enrich.prepare(PipelineSettings(enrichments=("referrer", "campaign"), geoip_file="/nowhere.mmdb"))
    event = Event(
        body={"context": {"page": {"referrer": "https://x.com", "search": "?utm_source=a"}}},
        source_id="s",
        received_at=0,
        position=0,
    )
    for function in functions:
        function(event)
    assert event.body["context"]["campaign"] == {"source": "a"}
    assert event.body["context"]["referrer"]["name"] == "X"


def test_a_missing_database_is_told_when_it_is_needed() -> None:
    with pytest.raises(SetupError, match=re.escape("/nowhere.mmdb")):
        enrich.prepare(PipelineSettings(enrichments=("geoip",), geoip_file="/nowhere.mmdb"))
