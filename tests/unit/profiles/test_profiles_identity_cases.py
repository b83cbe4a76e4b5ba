"""Golden cases of identity: events in, profiles, merges and violations out (tests/cases/profiles/identity)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from identity_cases import WORKED, Played, make_event, make_space

from headwater.spec.event import Event
from headwater.spec.graph import ParentLink
from headwater.spec.space import Space

CASES = Path(__file__).parents[2] / "cases" / "profiles" / "identity"


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['why']}")
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())
    ]


def given(case: dict[str, Any]) -> tuple[Space, list[Event]]:
    rules = dict(case.get("space", {}))
    rules["types"] = [*WORKED, *rules.get("types", [])] if case.get("worked") else rules.get("types", [])
    return make_space(**rules), [make_event(number, short) for number, short in enumerate(case["events"], 1)]


def outcome(played: Played) -> dict[str, Any]:
    names, graph = played.names(), played.graph
    people: dict[str, list[str]] = {}
    for key, link in graph.links.items():
        people.setdefault(names[graph.canonical[link.profile_id]], []).append(key)
    return {
        "lead_to": [
            " ".join(names[each] for each in (one.profile_id, *one.account_ids) if each) for one in played.answers
        ],
        "profiles": {name: sorted(keys) for name, keys in sorted(people.items())},
        "merges": len(graph.merges),
        "violations": [f"{one.kind} {one.identifier}".strip() for one in graph.violations.values()],
        "groups": sorted(f"{names[user]} {names[account]}" for user, account in graph.groups),
        "parents": sorted(f"{names[each.child_id]} {names[each.parent_id]}" for each in _in_force(played)),
    }


def _in_force(played: Played) -> list[ParentLink]:
    return [link for link in played.graph.parents.values() if link.parent_id]


def wanted(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "lead_to": case["lead_to"],
        "profiles": {name: sorted(keys) for name, keys in case["profiles"].items()},
        "merges": case.get("merges", 0),
        "violations": case.get("violations", []),
        "groups": case.get("groups", []),
        "parents": case.get("parents", []),
    }


@pytest.mark.parametrize("case", cases())
def test_events_lead_to_the_profiles_of_the_case(case: dict[str, Any]) -> None:
    space, events = given(case)
    assert outcome(Played(space).play(events)) == wanted(case)


@pytest.mark.parametrize("case", cases())
def test_it_does_not_matter_how_events_are_cut_into_slices_and_what_is_remembered(case: dict[str, Any]) -> None:
    space, events = given(case)
    for slice in (1, 2):
        assert outcome(Played(space, slice=slice, forgetting=True).play(events)) == wanted(case)


@pytest.mark.parametrize("case", cases())
def test_events_that_are_resolved_again_come_to_the_same_profiles_and_change_nothing(case: dict[str, Any]) -> None:
    space, events = given(case)
    played = Played(space).play(events)
    before, people, violations = played.answers, played.graph.people(), set(played.graph.violations)
    played.answers = []
    played.play(events)
    canonical = played.graph.canonical
    assert [canonical.get(one.profile_id) for one in played.answers] == [
        canonical.get(one.profile_id) for one in before
    ]
    assert [one.account_ids for one in played.answers] == [one.account_ids for one in before]
    assert played.graph.people() == people
    assert set(played.graph.violations) == violations
    again = played.changes[-1]
    assert not (again.profiles or again.links or again.merges or again.groups)
