"""Triggers that definitions write in forms of their own are brought into the plain one, and all of them can be used."""

import pytest

from headwater import catalogue
from headwater.catalogue.triggers import plain
from headwater.spec.fql import compile_trigger, parse


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('type = "track" AND event = "Order Completed"', 'type = "track" and event = "Order Completed"'),
        ("type = track or type = page", 'type = "track" or type = "page"'),
        ("type=identify", 'type="identify"'),
        ('type = "track" and event == "Cart Updated"', 'type = "track" and event = "Cart Updated"'),
        ('type = "track", event = "Paid"', 'type = "track" and event = "Paid"'),
    ],
)
def test_a_trigger_is_brought_into_plain_form(written: str, meant: str) -> None:
    assert plain(written) == meant


@pytest.mark.parametrize(
    "trigger",
    [
        "",
        'event = "this AND that" and name = "a == b, c"',
        'contains(event, "x") and !match(properties.a\\ b, "*y")',
        "properties.n = 5 or properties.m != -1.5 or userId = null or properties.yes = true",
        'type = "track" OR type = "page"',
        'event = "unfinished',
    ],
)
def test_a_trigger_in_plain_form_stays_as_it_is(trigger: str) -> None:
    assert plain(trigger) == trigger


@pytest.mark.skipif(bool(catalogue.missing()), reason=catalogue.missing())
def test_every_trigger_that_a_destination_suggests_can_be_used() -> None:
    for slug in catalogue.names():
        declared = catalogue.definition(slug)
        for trigger in [each.trigger for each in (*declared.actions, *declared.presets)]:
            if trigger:
                compile_trigger(parse(trigger))
