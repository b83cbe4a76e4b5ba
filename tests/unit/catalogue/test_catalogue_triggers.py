"""What definitions suggest can be used: triggers in forms of their own are brought into the plain one."""

import pytest

from headwater import catalogue
from headwater.catalogue.triggers import plain
from headwater.manage.subscribing import defaults
from headwater.spec.fql import compile_trigger, parse
from headwater.spec.mapping import compile_mapping


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


needs_catalogue = pytest.mark.skipif(bool(catalogue.missing()), reason=catalogue.missing())


@needs_catalogue
def test_every_trigger_that_a_destination_suggests_can_be_used() -> None:
    for slug in catalogue.names():
        declared = catalogue.definition(slug)
        for trigger in [each.trigger for each in (*declared.actions, *declared.presets)]:
            if trigger:
                compile_trigger(parse(trigger))


@needs_catalogue
def test_every_automatic_preset_has_a_trigger() -> None:
    presets = [preset for slug in catalogue.names() for preset in catalogue.definition(slug).presets]
    assert [each.name for each in presets if each.kind == "automatic" and not each.trigger] == []


@needs_catalogue
def test_every_mapping_that_a_destination_suggests_can_be_used() -> None:
    for slug in catalogue.names():
        declared = catalogue.definition(slug)
        for mapping in (*map(defaults, declared.actions), *(preset.mapping for preset in declared.presets)):
            compile_mapping(mapping)
