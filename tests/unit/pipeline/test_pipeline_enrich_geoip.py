"""Places: the shapes of databases, and databases that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headwater.pipeline.enrich import Assets, definition, open_geoip
from headwater.pipeline.enrich.geoip import describe
from headwater.spec.errors import SetupError
from headwater.spec.event import Event

SHAPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "nested, as MaxMind and DB-IP write it": (
        {
            "country": {"iso_code": "CH", "names": {"en": "Switzerland"}},
            "subdivisions": [{"iso_code": "BS", "names": {"de": "Basel-Stadt", "en": "Basel-City"}}],
            "city": {"names": {"en": "Basel"}},
            "location": {"latitude": 47.56, "longitude": 7.59, "time_zone": "Europe/Zurich"},
        },
        {"country": "CH", "region": "Basel-City", "city": "Basel", "latitude": 47.56, "longitude": 7.59},
    ),
    "flat with text for numbers, as IPinfo writes cities": (
        {"country": "CH", "region": "Basel-City", "city": "Basel", "lat": "47.56", "lng": "7.59", "timezone": "x"},
        {"country": "CH", "region": "Basel-City", "city": "Basel", "latitude": 47.56, "longitude": 7.59},
    ),
    "a code beside the name, as IPinfo writes countries": (
        {"country": "Switzerland", "country_code": "CH", "continent": "Europe"},
        {"country": "CH"},
    ),
    "a code in small letters": ({"country_code": "ch"}, {"country": "CH"}),
    "a country without a code": ({"country": "Switzerland"}, {}),
    "an autonomous system": ({"asn": "AS64500", "name": "Example"}, {}),
    "nothing": (None, {}),
    "nonsense": (
        {"country": {"iso_code": 7}, "subdivisions": [], "city": {"names": []}, "location": {"latitude": "north"}},
        {},
    ),
}


@pytest.mark.parametrize(("record", "facts"), SHAPES.values(), ids=SHAPES)
def test_every_shape_of_database_gives_the_same_facts(record: Any, facts: dict[str, Any]) -> None:
    assert describe(record) == facts


def test_the_installed_database_knows_countries() -> None:
    find = open_geoip("")
    assert find is not None
    assert find("8.8.8.8") == {"country": "US"}


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "0.0.0.0", "nobody", "8.8.8.8/32"])
def test_what_is_no_public_address_has_no_place(address: str) -> None:
    find = open_geoip("")
    assert find is not None
    assert find(address) is None


def test_off_opens_nothing_and_adds_nothing() -> None:
    assert open_geoip("off") is None
    event = Event(body={"context": {"ip": "8.8.8.8"}}, source_id="s", received_at=0, position=0)
    definition("geoip").build(Assets())(event)
    assert event.body["context"] == {"ip": "8.8.8.8"}


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"pipeline\.geoip_file"):
        open_geoip(str(tmp_path / "none.mmdb"))


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        open_geoip(str(tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.mmdb"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(SetupError):
        open_geoip(str(file))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.mmdb"
    file.touch()
    with pytest.raises(SetupError):
        open_geoip(str(file))


def test_events_do_not_share_their_places() -> None:
    build = definition("geoip").build(Assets(geoip={"1.1.1.1": {"country": "AU"}}.get))
    events = [Event(body={"context": {"ip": "1.1.1.1"}}, source_id="s", received_at=0, position=0) for _ in range(2)]
    for event in events:
        build(event)
    events[0].body["context"]["location"]["country"] = "changed"
    assert events[1].body["context"]["location"] == {"country": "AU"}
