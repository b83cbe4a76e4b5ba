"""The identity graph told as a log, and what people come to in a warehouse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headwater.eventlog import Chunk, Record
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.graph import Cause, Link, Merge
from headwater.spec.space import Space, SpaceFilter
from headwater.spec.wire import encode
from headwater.store.histories import Removed
from headwater.warehouse.load import Notices
from headwater.warehouse.profiles.hearing import hear, of_tables, tell
from headwater.warehouse.profiles.history import Turn, canonical_at, replay
from headwater.warehouse.profiles.names import names_for
from headwater.warehouse.profiles.sighting import (
    Witness,
    external_id_hash,
    sight,
    sight_removed,
    sighting_rows,
    turn_rows,
)
from headwater.warehouse.profiles.standing import changes, settle

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "profiles_sync" / "graphs.yaml").read_text()
)


def cause(message_id: str, at: int, matched: str = "") -> Cause:
    return Cause(message_id, "track", "Ordered", "s1", at, matched)


def graph(case: dict[str, Any]) -> tuple[dict[str, int], list[Link], list[Merge]]:
    made: dict[str, int] = case["profiles"]
    links = [Link(f"anonymous_id:{id}", id, cause(f"m_{id}", at)) for id, at in made.items()]
    merges = [
        Merge(
            each["id"],
            "",
            "",
            each.get("left", each["into"]),
            each.get("right", each["from"]),
            each["into"],
            each["from"],
            cause(f"m_{each['id']}", each["at"], "x"),
            each.get("undone_at"),
        )
        for each in case["merges"]
    ]
    return made, links, merges


def told(turns: dict[str, list[Turn]]) -> list[str]:
    every = sorted((turn for mine in turns.values() for turn in mine), key=lambda turn: (turn.at, turn.seq))
    return sorted(f"{turn.at} {turn.segment_id}>{turn.canonical_id}{' undone' * turn.undone}" for turn in every)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_a_graph_is_told_as_the_case_says(case: dict[str, Any]) -> None:
    made, links, merges = graph(case)
    turns = replay(made, links, merges)
    assert told(turns) == sorted(case["turns"])
    assert told(replay(made, links, merges[::-1])) == sorted(case["turns"])
    for mine in turns.values():
        assert [turn.seq for turn in mine] == sorted({turn.seq for turn in mine})


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(10, 13)), max_size=8), st.data())
def test_a_graph_that_grows_is_told_by_the_same_rows_and_more(pairs: list[Any], data: st.DataObject) -> None:
    made = {f"p{number}": number for number in range(7)}
    merges = [
        Merge(f"g{at}", "", "", f"p{low}", f"p{high}", f"p{low}", f"p{high}", cause(f"m{at}", moment, "x"))
        for at, (low, high, moment) in enumerate(pairs)
        if low != high
    ]
    whole = replay(made, [], merges)
    assert {turn.id for mine in whole.values() for turn in mine} == {
        turn.id for mine in replay(made, [], data.draw(st.permutations(merges))).values() for turn in mine
    }
    in_time = sorted(merges, key=lambda merge: (merge.cause.at, merge.id))
    last_of = [at for at, merge in enumerate(in_time) if merge.cause.at != in_time[at - 1].cause.at]
    some = replay(made, [], in_time[: data.draw(st.sampled_from([0, *last_of]))])
    ids = {turn.id for mine in whole.values() for turn in mine}
    assert {turn.id for mine in some.values() for turn in mine} <= ids


def test_whose_a_profile_was_is_said_for_every_moment() -> None:
    made, links, merges = graph(
        {"profiles": {"p0": 1, "p1": 5}, "merges": [{"id": "g", "into": "p0", "from": "p1", "at": 9}]}
    )
    turns = replay(made, links, merges)["p1"]
    assert [canonical_at(turns, at) for at in (0, 5, 8, 9, 10)] == ["p1", "p1", "p1", "p0", "p0"]


def test_an_identifier_is_first_seen_on_whoever_was_canonical_then() -> None:
    made, links, merges = graph(
        {"profiles": {"p0": 1, "p1": 2}, "merges": [{"id": "g", "into": "p0", "from": "p1", "at": 5}]}
    )
    late = Link("email:a@b.c", "p1", cause("m9", 9, "anonymous_id:p1"))
    early = Link("email:d@e.f", "p1", cause("m4", 4, "anonymous_id:p1"))
    turns = replay(made, links, merges)
    found = {each.value: each.segment_id for each in sight([*links, late, early], turns, Witness({}, {}, {}))}
    assert found == {"p0": "p0", "p1": "p1", "a@b.c": "p0", "d@e.f": "p1"}
    [seen] = sight([early], turns, Witness({"m4": "p7"}, {}, {}))
    assert (seen.segment_id, seen.type, seen.value) == ("p7", "email", "d@e.f")
    assert seen.id == sight([early], turns, Witness({}, {}, {}))[0].id


def test_an_identifier_that_was_removed_was_there_before() -> None:
    turns = replay({"p0": 1}, [], [])
    removed = Removed(Link("email:a@b.c", "p0", cause("m1", 5)), 9)
    rows = sighting_rows(sight_removed([removed], turns, Witness({}, {}, {})), Witness({}, {}, {}))
    assert [(row.common["__operation"], row.common["seq"], row.common["segment_id"]) for row in rows] == [
        ("CREATED", 5_000, "p0"),
        ("REMOVED", 9_000, "p0"),
    ]
    assert rows[0].id != rows[1].id
    assert "triggering_event_id" not in rows[1].common


def test_the_hash_of_an_identifier_is_that_of_type_and_value_together() -> None:
    assert external_id_hash("email", "a@b.c") == "4c67ec80acecfe92c5226ec120f3242e235a2bed"


def test_turns_that_come_late_are_numbered_after_those_that_are_there() -> None:
    made, links, merges = graph(
        {"profiles": {"p0": 1, "p1": 2}, "merges": [{"id": "g", "into": "p0", "from": "p1", "at": 5}]}
    )
    turns = replay(made, links, merges)
    before = {"p1": {"segment_id": "p1", "canonical_segment_id": "p1", "seq": 99_000}}
    new = settle(turns, {turns["p0"][0].id, turns["p1"][0].id}, before)
    assert [(turn.segment_id, turn.canonical_id, turn.seq) for turn in new] == [("p1", "p0", 99_001)]
    again = replay(made, links, merges)
    ids = {turn.id for mine in again.values() for turn in mine}
    settled = {"p1": {"segment_id": "p1", "canonical_segment_id": "p0", "seq": 99_001}}
    assert settle(again, ids, settled) == []
    assert again["p1"][-1].seq == 99_001


def test_rows_of_the_past_have_no_timestamp_and_a_merge_undone_says_so() -> None:
    case = {
        "profiles": {"p0": 1, "p1": 2},
        "merges": [{"id": "g", "into": "p0", "from": "p1", "at": 5, "undone_at": 8}],
    }
    made, links, merges = graph(case)
    turns = replay(made, links, merges)["p1"]
    past = turn_rows(turns, Witness({}, {}, {}, past=True))
    assert [row.common["timestamp"] for row in past] == [None, None, None]
    now = turn_rows(turns, Witness({}, {"m_g": "2024-01-01T00:00:00.000Z"}, {}))
    assert now[1].common["timestamp"] == "2024-01-01T00:00:00.000Z"
    assert now[1].common["triggering_event_id"] == "m_g"
    assert now[2].common["triggering_event_type"] == "unmerge"
    assert now[2].common["triggering_event_id"] == "g"


def test_rows_that_are_as_they_should_be_are_left_alone() -> None:
    def row(owner: str, name: str, value: str, timestamp: int | None = 1) -> dict[str, Any]:
        return {"canonical_segment_id": owner, "name": name, "value": value, "seq": 1, "timestamp": timestamp}

    before = [row("p0", "a", "1"), row("p1", "a", "1"), row("p2", "a", "1"), row("p2", "b", "1", 7)]
    wanted = [row("p0", "a", "1", None), row("p2", "a", "2"), row("p2", "b", "1", None), row("p3", "a", "1")]
    change = changes("user_traits", ["p0", "p1", "p2", "p3"], before, wanted)
    assert change.gone == ["p1", "p2"]
    assert change.rows == [row("p2", "a", "2"), row("p2", "b", "1", 7), row("p3", "a", "1")]


def chunk(*events: tuple[dict[str, Any], dict[str, Any]]) -> Chunk:
    records: list[Record] = []
    for place, (body, fields) in enumerate(events):
        body = {"messageId": f"m{place}", "timestamp": "2024-01-01T00:00:00.000Z", **body}
        header = ProcessedHeader("s1", body["type"], "", body["messageId"], "", "", 1_704_067_200_000, **fields)
        records.append(Record(b"", encode_header(header), encode(body)))
    return Chunk(5, records)


def lay(*events: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    space = Space(id="spa_1", slug="s", name="S")
    filters = (SpaceFilter(id="f", name="F", description="", condition='event = "Noise"', drop=True),)
    return tell(hear(chunk(*events), space, space.takes), names_for(255, nul=True), Notices(), filters)


def test_events_tell_the_profile_that_they_had_in_this_space() -> None:
    track = {"type": "track", "event": "Bought"}
    found = lay(
        (track, {"profile_id": "p1"}),
        (track, {}),
        (track, {"profile_id": "q", "profiles": (("spa_0", "q"), ("spa_1", "p2"))}),
        (track, {"profile_id": "q", "profiles": (("spa_0", "q"), ("spa_2", "r"))}),
        ({**track, "integrations": {"Personas": False}}, {}),
        ({**track, "event": "Noise"}, {}),
    )
    assert [(flat.id, flat.common["segment_id"]) for flat in found.events] == [("m0", "p1"), ("m1", None), ("m2", "p2")]
    assert {flat.common["event_source_id"] for flat in found.events} == {"s1"}


def test_an_identify_call_is_a_row_of_traits_unless_it_has_none_or_is_nobodys() -> None:
    call = {"type": "identify", "traits": {"plan": "pro", "seq": 5, "segmentId": "x"}}
    found = lay((call, {"profile_id": "p1"}), (call, {}), ({"type": "identify"}, {"profile_id": "p1"}))
    [row] = found.traits
    assert (row.id, row.common["segment_id"], row.own, row.lost) == ("m0", "p1", {"plan": "pro"}, {"seq": 5})
    assert row.common["seq"] == 1_704_067_200_000_005


def test_an_event_that_is_called_as_a_table_of_people_gets_a_table_of_its_own() -> None:
    found = lay(({"type": "track", "event": "User Traits"}, {}))
    assert [flat.event_table for flat in found.events] == ["_user_traits"]


@pytest.mark.parametrize(
    ("without", "tables"),
    [
        ((), [("tracks", "bought"), ("pages", "")]),
        (("bought",), [("tracks", ""), ("pages", "")]),
        (("tracks", "pages"), [("bought", "")]),
        (("tracks", "bought"), [("pages", "")]),
    ],
)
def test_tables_that_are_left_out_get_no_events(without: Sequence[str], tables: list[tuple[str, str]]) -> None:
    found = lay(({"type": "track", "event": "Bought"}, {}), ({"type": "page"}, {}))
    assert [(flat.table, flat.event_table) for flat in of_tables(found.events, frozenset(without))] == tables
