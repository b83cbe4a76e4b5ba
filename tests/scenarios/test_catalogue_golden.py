"""Destinations of the catalogue ask of their vendors what their files say, through everything that deliver does.

`python tests/scenarios/catalogue_golden.py` writes the files anew; whoever changes one reads it, and says so in `read`.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from catalogue_golden import FOLDER, SENT, Delivered, deliver_all, read, slugs

from headwater import catalogue

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

FIRST = {
    "actions-accoil-analytics",
    "actions-amplitude",
    "actions-customerio",
    "actions-facebook-conversions-api",
    "actions-google-analytics-4",
    "actions-google-enhanced-conversions",
    "actions-hubspot-cloud",
    "actions-intercom-cloud",
    "actions-mixpanel",
    "actions-salesforce",
}


@pytest.fixture(scope="module")
def sent() -> dict[str, list[Delivered]]:
    return asyncio.run(deliver_all(slugs()))


@pytest.mark.parametrize("slug", slugs())
def test_a_destination_asks_what_its_file_says(slug: str, sent: dict[str, list[Delivered]]) -> None:
    assert msgspec.to_builtins(sent[slug]) == msgspec.to_builtins(read(slug).sent)


@pytest.mark.parametrize("slug", slugs())
def test_a_file_shows_something_and_somebody_has_read_it(slug: str) -> None:
    golden = read(slug)
    assert golden.read.endswith(".")
    assert any(each.requests for each in golden.sent)
    assert SENT in (FOLDER / f"{slug}.yaml").read_text()


def test_the_destinations_that_people_ask_for_first_have_files() -> None:
    assert set(slugs()) >= FIRST
    assert len(slugs()) >= 32
