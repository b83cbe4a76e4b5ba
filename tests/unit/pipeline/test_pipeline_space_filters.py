"""An event that a filter of a space holds for stays out of that space, and of nothing else."""

import json
from typing import Any

import pytest

from headwater.contracts.identity import GraphInMemory
from headwater.eventlog import Chunk, Record
from headwater.pipeline.plan import compile_plan
from headwater.pipeline.process import process
from headwater.pipeline.resolve import Identities
from headwater.spec.event import CollectedHeader, ProcessedHeader, decode_processed, encode_header
from headwater.spec.outcome import Step
from headwater.spec.space import Space, SpaceFilter
from headwater.spec.workspace import Destination, Source, Workspace

AT = 1_700_000_000_000
SOURCE = Source(id="s1", slug="web", name="Web", write_keys=("k1",))
HOOK = Destination(id="d1", source_id="s1", definition="webhook", name="Hook", settings={"url": "http://hook.test/"})


class House:
    """The pure pipeline over spaces whose filters change, with a graph for each space."""

    def __init__(self, **spaces: tuple[SpaceFilter, ...]) -> None:
        self.graphs = {name: GraphInMemory() for name in spaces}
        self.identities = Identities(lambda space: self.graphs[space.id], remembered=100)
        self.version = 0
        self.change(**spaces)

    def change(self, **spaces: tuple[SpaceFilter, ...]) -> None:
        self.version += 1
        self.workspace = Workspace(
            id="w",
            slug="w",
            name="W",
            version=self.version,
            sources=(SOURCE,),
            destinations=(HOOK,),
            spaces=tuple(Space(id=name, slug=name, name=name, filters=filters) for name, filters in spaces.items()),
        )

    def send(self, *messages: dict[str, Any]) -> list[ProcessedHeader]:
        batch = [
            {"type": "track", "event": "E", "messageId": f"{self.version}-{n}"} | m for n, m in enumerate(messages)
        ]
        header = encode_header(CollectedHeader("batch", "s1", "k1", AT))
        self.identities.begin(self.workspace)
        work = process(
            Chunk(0, [Record(b"", header, json.dumps({"batch": batch}).encode())]),
            compile_plan(self.workspace, ()),
            partition=0,
            now=AT,
            find_duplicates=lambda ids, moments: set(),
            resolve=self.identities.resolve,
        )
        for space_id, changes in self.identities.changes():
            self.graphs[space_id].write(changes)
        self.identities.written()
        published = sum(count.events for count in work.outcomes.counts if count.step == Step.PROCESSED)
        assert published == len(messages)
        return [decode_processed(record.header) for record in work.records]


def rule(condition: str, **fields: Any) -> SpaceFilter:
    return SpaceFilter(id=condition, name="F", condition=condition, **fields)


def test_an_event_that_a_filter_holds_for_has_no_profile_and_reaches_its_destinations() -> None:
    house = House(people=(rule("event = 'Health Check'"), rule("contains(traits.email, '@acme.test')")))
    check, staff, customer = house.send(
        {"event": "Health Check", "userId": "robot"},
        {"type": "identify", "userId": "ann", "traits": {"email": "ann@acme.test"}},
        {"type": "identify", "userId": "bob", "traits": {"email": "bob@example.test"}},
    )
    assert (check.profile_id, staff.profile_id, staff.profiles, staff.groups) == ("", "", (), ())
    assert customer.profile_id
    assert all(header.destinations == ("d1",) for header in (check, staff, customer))
    graph = house.graphs["people"]
    assert set(graph.links) == {"user_id:bob", "email:bob@example.test"}
    assert not graph.violations


def test_each_space_has_filters_of_its_own() -> None:
    house = House(first=(rule("type = 'track'"),), second=())
    (event,) = house.send({"userId": "u", "context": {"groupId": "g"}})
    (first, second) = event.profiles
    assert first == ("first", "")
    assert second[1]
    assert event.groups
    assert set(house.graphs["second"].links) == {"user_id:u", "group_id:g"}
    assert not house.graphs["first"].links


@pytest.mark.parametrize("off", [{"enabled": False}, {"drop": False}])
def test_a_filter_that_is_off_keeps_nothing_out(off: dict[str, bool]) -> None:
    house = House(people=(rule("all", **off),))
    (event,) = house.send({"userId": "u"})
    assert event.profile_id


def test_a_filter_counts_for_the_events_that_come_after_it() -> None:
    house = House(people=())
    (before,) = house.send({"userId": "u"})
    house.change(people=(rule("userId = 'u'"),))
    out, other = house.send({"userId": "u", "traits": {}, "anonymousId": "a"}, {"userId": "v"})
    house.change(people=(rule("userId = 'u'", enabled=False),))
    (after,) = house.send({"userId": "u"})
    assert before.profile_id == after.profile_id != ""
    assert out.profile_id == ""
    assert other.profile_id
    assert set(house.graphs["people"].links) == {"user_id:u", "user_id:v"}


def test_a_filter_sees_the_event_as_destinations_get_it() -> None:
    house = House(people=(rule("receivedAt > '2023-01-01' and typeof(context) = 'object' and type = 'page'"),))
    page, track = house.send({"type": "page", "name": "Home", "userId": "u"}, {"userId": "u"})
    assert page.profile_id == ""
    assert track.profile_id


def test_a_filter_that_cannot_be_read_lets_nothing_through() -> None:
    house = House(people=(rule("type = "),))
    (event,) = house.send({"userId": "u"})
    assert event.profile_id == ""
    assert event.destinations == ("d1",)


def test_the_sender_can_keep_an_event_out_of_every_space() -> None:
    house = House(first=(), second=())
    out, lower = house.send(
        {"userId": "u", "integrations": {"Personas": False}}, {"userId": "v", "integrations": {"personas": False}}
    )
    assert (out.profile_id, out.profiles) == ("", (("first", ""), ("second", "")))
    assert lower.profile_id
