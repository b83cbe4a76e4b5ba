"""What a destination does with events: filters, then triggers, and what was there before a crash."""

from typing import Any

import msgspec

from headwater.deliver.decide import Event, decider, sort
from headwater.deliver.ways import Way, never
from headwater.spec.destination import Batch, Item
from headwater.spec.filters import Filtered, compile_filters
from headwater.spec.fql import compile_trigger, parse
from headwater.spec.workspace import DestinationFilter

BODY = b'{"type":"track","z":1.0,"a":12345678901234567890,"big":123456789012345678901234567890,"n":null,"drop":true}'
ALL = Way("all", Batch(), never, holds=compile_trigger(parse('type = "track"')))
DEAR = Way("dear", Batch(), never, holds=compile_trigger(parse("properties.total > 10")))


def item(position: int, body: bytes = BODY) -> Item:
    return Item(body, "track", "A", f"m{position}", position, 0)


def dear(position: int, total: int) -> Item:
    return item(position, msgspec.json.encode({"type": "track", "properties": {"total": total}}))


def read(item: Item) -> Event:
    return item.read()


def rule(condition: str = "all", **action: Any) -> DestinationFilter:
    return DestinationFilter(id="f", title="Kept back", condition=condition, actions=(action,))


def test_what_filters_leave_is_written_as_it_came_and_the_event_of_others_stays() -> None:
    decide = decider((ALL,), compile_filters([rule(type="DROP_PROPERTIES", fields={"": ["drop"]})]))
    assert decide is not None
    event = item(1).read()
    decision = decide(item(1), event)
    assert decision.item.body == BODY.replace(b',"drop":true', b"")
    assert msgspec.json.encode(event) == BODY


def test_who_takes_everything_as_it_is_reads_nothing() -> None:
    assert decider((Way("", Batch(), never),), None) is None


def test_filters_that_break_keep_the_event_back() -> None:
    def breaks(event: Event) -> Filtered:
        raise KeyError("properties")

    decide = decider((ALL,), breaks)
    assert decide is not None
    decision = decide(item(1), item(1).read())
    assert (decision.reason, decision.ways) == ("FILTERED_BY_RULES", ())
    assert "KeyError" in decision.detail


def test_of_an_event_that_takes_two_ways_only_the_one_without_a_row_is_made_out_again() -> None:
    decide = decider((ALL, DEAR), None)
    assert decide is not None
    found = sort([dear(1, 20), dear(2, 20), dear(3, 5)], decide, read, {(1, "dear"), (2, "gone"), (3, "all")})
    places = {way: [item.position for item in items] for (way, _), items in found.taken.items()}
    assert places == {"all": [1, 2], "dear": [2]}
    assert found.kept == {}


def test_what_has_a_row_is_not_counted_as_filtered_when_filters_changed_meanwhile() -> None:
    decide = decider((ALL,), compile_filters([rule(type="DROP")]))
    assert decide is not None
    found = sort([item(1), item(2)], decide, read, {(1, "all")})
    assert {reason: [item.position for item in items] for (reason, _), items in found.kept.items()} == {
        "FILTERED_BY_RULES": [2]
    }
