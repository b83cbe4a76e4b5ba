"""Explaining and undoing merges, over examples and over random histories."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_cases import Played, make_event, make_space

from headwater.contracts.identity import GraphInMemory
from headwater.profiles.identity.explain import explain
from headwater.profiles.identity.simulate import simulate
from headwater.profiles.identity.unmerge import divide, merge_between, parted
from headwater.spec.errors import SenderError
from headwater.spec.graph import Link, Merge

NAMES = ("user_id", "email", "anonymous_id", "phone")
LOOSE = make_space(types=[{"name": name, "limit": 1_000, "priority": n} for n, name in enumerate(NAMES, 1)])
PLACES = {"user_id": "userId", "anonymous_id": "anonymousId"}


def play(*shorts: dict[str, Any]) -> GraphInMemory:
    return Played(LOOSE).play([make_event(number, short) for number, short in enumerate(shorts)]).graph


def named(event: list[str]) -> dict[str, Any]:
    """An event with these identifiers: u, e, a and p stand for the types."""
    short: dict[str, Any] = {"type": "identify", "traits": {}}
    for identifier in event:
        name, _, value = identifier.partition(":")
        if name in PLACES:
            short[PLACES[name]] = value
        else:
            short["traits"][name] = value
    return short


def undo(graph: GraphInMemory, merge: Merge) -> None:
    component = graph.component(graph.canonical[merge.left_id])
    graph.canonical |= divide(component, merge.id)


def test_a_path_tells_each_link_and_merge_with_its_cause() -> None:
    graph = play(
        {"anonymousId": "a1"},
        {"userId": "u1", "anonymousId": "a1"},
        {"type": "identify", "anonymousId": "a2", "traits": {"email": "e"}},
        {"type": "identify", "userId": "u1", "traits": {"email": "e"}},
    )
    (root,) = set(graph.canonical.values())
    joined = explain(graph.component(root), "anonymous_id:a1", "anonymous_id:a2")
    first, merge, last = joined.steps
    assert isinstance(first, Link) and isinstance(last, Link) and isinstance(merge, Merge)
    assert (first.cause.message_id, merge.cause.message_id, last.cause.message_id) == ("m0", "m3", "m2")
    assert (merge.left, merge.right) == ("user_id:u1", "email:e")
    with pytest.raises(KeyError):
        explain(graph.component(root), "anonymous_id:a1", "anonymous_id:none")


def test_what_came_with_one_side_goes_with_it() -> None:
    graph = play(
        {"userId": "u"},
        {"anonymousId": "v"},
        {"userId": "u", "anonymousId": "v"},
        {"type": "identify", "anonymousId": "v", "traits": {"phone": "1"}},
        {"type": "identify", "userId": "u", "traits": {"email": "e"}},
    )
    undo(graph, next(iter(graph.merges.values())))
    assert graph.people() == {frozenset({"user_id:u", "email:e"}), frozenset({"anonymous_id:v", "phone:1"})}


def test_two_identifiers_of_one_event_were_never_merged() -> None:
    graph = play({"userId": "u", "anonymousId": "a"})
    (root,) = graph.canonical
    with pytest.raises(SenderError):
        merge_between(graph.component(root), "user_id:u", "anonymous_id:a")
    with pytest.raises(SenderError):
        divide(graph.component(root), "mrg_none")


def test_the_merge_between_two_is_the_newest_on_the_way() -> None:
    graph = play(
        {"anonymousId": "a"},
        {"userId": "u", "anonymousId": "a"},
        {"userId": "w"},
        {"type": "identify", "anonymousId": "b", "traits": {"email": "e"}},
        {"type": "identify", "userId": "w", "traits": {"email": "e"}},
        {"type": "identify", "anonymousId": "a", "traits": {"email": "e"}},
    )
    (root,) = set(graph.canonical.values())
    merge = merge_between(graph.component(root), "user_id:u", "user_id:w")
    assert merge.cause.message_id == "m5"
    undo(graph, merge)
    assert graph.people() == {
        frozenset({"user_id:u", "anonymous_id:a"}),
        frozenset({"user_id:w", "anonymous_id:b", "email:e"}),
    }


identifiers = st.sampled_from([f"{name}:{n}" for name in NAMES for n in range(4)])


def one_of_each(event: list[str]) -> list[str]:
    return list({identifier.partition(":")[0]: identifier for identifier in event}.values())


histories = st.lists(st.lists(identifiers, min_size=1, max_size=3).map(one_of_each), min_size=2, max_size=25)


class Worlds:
    """One history twice: as it was, and without one merge; events that name both of its sides later are left out."""

    def __init__(self, history: list[list[str]]) -> None:
        self.merged = Played(LOOSE)
        self.never = Played(LOOSE)
        self.merge: Merge | None = None
        self._chosen = False
        for number, event in enumerate(history):
            self._play(number, event)

    def _play(self, number: int, event: list[str]) -> None:
        if self.merge is not None and self._names_both_sides(event):
            return
        before = len(self.merged.graph.merges)
        self.merged.play([make_event(number, named(event))])
        made = list(self.merged.graph.merges.values())[before:]
        if made and self.merge is None:
            self.merge = made[-1]
            event = [each for each in event if not self._is_weaker_side(each)]
        self.never.play([make_event(number, named(event))])

    def _root(self, identifier: str) -> str:
        return self.never.graph.owners([identifier]).get(identifier, "")

    def _is_weaker_side(self, identifier: str) -> bool:
        assert self.merge is not None
        return self._root(identifier) != "" and self._root(identifier) == self._root(self.merge.right)

    def _names_both_sides(self, event: list[str]) -> bool:
        assert self.merge is not None
        roots = {self._root(each) for each in event}
        return {self._root(self.merge.left), self._root(self.merge.right)} <= roots


@settings(max_examples=150, deadline=None)
@given(histories)
def test_to_merge_and_undo_it_is_as_never_to_have_merged(history: list[list[str]]) -> None:
    worlds = Worlds(history)
    if worlds.merge is not None:
        undo(worlds.merged.graph, worlds.merge)
    assert worlds.merged.graph.people() == worlds.never.graph.people()
    assert worlds.merged.graph.canonical == worlds.never.graph.canonical


@settings(max_examples=100, deadline=None)
@given(histories)
def test_every_two_identifiers_of_a_person_have_an_explanation(history: list[list[str]]) -> None:
    graph = play(*map(named, history))
    for root in set(graph.canonical.values()):
        component = graph.component(root)
        assert len(component.merges) == len(component.profiles) - 1
        first = component.links[0].identifier
        for link in component.links:
            steps = explain(component, first, link.identifier).steps
            assert steps[0] == component.links[0]
            assert steps[-1] == link


@settings(max_examples=100, deadline=None)
@given(histories, st.lists(identifiers, min_size=1, max_size=6), histories)
def test_what_is_removed_leads_nowhere_and_what_it_joined_stays_explained(
    history: list[list[str]], gone: list[str], later: list[list[str]]
) -> None:
    """A merge is undone to the same two sides, less what was removed; the same events again find no id in use."""
    played = Played(LOOSE).play([make_event(number, named(event)) for number, event in enumerate(history)])
    graph, space = played.graph, LOOSE
    before = [graph.component(root) for root in sorted(set(graph.canonical.values()))]
    removed = [each for each in dict.fromkeys(gone) if each in graph.links]
    for number, identifier in enumerate(removed, 1):
        graph.remove(identifier, number)
        space = msgspec.structs.replace(space, rewired=number)
    assert graph.owners(removed) == {}
    for was in before:
        now = graph.component(was.canonical_id)
        assert {link.identifier for link in (*now.links, *now.removed)} == {link.identifier for link in was.links}
        first = was.links[0].identifier
        for link in was.links:
            steps, old = explain(now, first, link.identifier).steps, explain(was, first, link.identifier).steps
            assert [step.cause for step in steps] == [step.cause for step in old]
        for merge in was.merges:
            assert divide(now, merge.id) == divide(was, merge.id)
            for side, whole in zip(parted(now, merge), parted(was, merge), strict=True):
                assert side.profiles == whole.profiles
                kept = {link.identifier for link in whole.links} - set(removed)
                assert {link.identifier for link in side.links} == kept
    played.rules(space)
    for number, event in enumerate(later, len(history)):
        played.play([make_event(number, named(event))])
    for number, event in enumerate(history):
        played.play([make_event(number, named(event))])
    assert {answer.profile_id for answer in played.answers} <= graph.canonical.keys()
    assert graph.owners([each for event in history for each in event]).keys() >= {
        each for event in history for each in event
    }
    for root in set(graph.canonical.values()):
        component = graph.component(root)
        assert len(component.merges) == len(component.profiles) - 1


def test_an_identifier_that_was_removed_begins_anew_with_its_next_event() -> None:
    played = Played(LOOSE).play(
        [
            make_event(number, short)
            for number, short in enumerate(
                (
                    {"type": "identify", "traits": {"email": "e"}},
                    {"userId": "u"},
                    {"type": "identify", "userId": "u", "traits": {"email": "e"}},
                )
            )
        ]
    )
    (root,) = set(played.graph.canonical.values())
    played.graph.remove("email:e", 9)
    played.rules(msgspec.structs.replace(LOOSE, rewired=1))
    played.play([make_event(0, {"type": "identify", "traits": {"email": "e"}})])
    assert played.graph.people() == {frozenset({"user_id:u"}), frozenset({"email:e"})}
    component = played.graph.component(root)
    assert len(component.profiles) == 2, "the merge stays"
    first, merge, last = explain(component, "user_id:u", "email:e").steps
    assert isinstance(first, Link) and isinstance(merge, Merge) and isinstance(last, Link)
    assert (first.removed_at, last.removed_at, merge.right) == (None, 9, "email:e")


def test_other_rules_are_tried_without_changing_anything() -> None:
    shorts = [
        {"userId": "u1", "anonymousId": "a"},
        {"userId": "u2", "anonymousId": "a"},
        {"userId": "u2", "anonymousId": "b"},
    ]
    events = [make_event(number, short) for number, short in enumerate(shorts)]
    loose = make_space(types=[{"name": "user_id", "limit": 2, "priority": 1}])
    compared = simulate(make_space(), loose, events)
    assert (compared.events, compared.now.profiles, compared.then.profiles) == (3, 2, 1)
    assert (compared.together, compared.asunder) == (1, 0)
    assert compared.now.violations == {"value_limit_exceeded": 1}
    assert compared.then.violations == {}
    back = simulate(loose, make_space(), events)
    assert (back.together, back.asunder) == (0, 1)
    assert {frozenset(part) for part in back.split[0].parts} == {
        frozenset({"user_id:u1", "anonymous_id:a"}),
        frozenset({"user_id:u2", "anonymous_id:b"}),
    }
