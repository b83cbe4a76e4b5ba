"""The hard limits of a profile, rules that change, patterns that are refused, and the speed of the short way."""

from typing import Any

import pytest
from identity_cases import Played, make_event, make_space

from headwater.profiles.identity.extract import compile_extract, compile_rules
from headwater.profiles.identity.view import Lately
from headwater.spec.errors import SetupError
from headwater.spec.space import DEFAULT_TYPES, Blocked, IdentifierType, check, compile_pattern, rank

MANY = 5_000


def test_a_profile_takes_a_hundred_merges_and_its_events_still_come_to_it() -> None:
    space = make_space(types=[{"name": "anonymous_id", "limit": MANY}])
    shorts: list[dict[str, Any]] = [{"userId": "u"}]
    for number in range(102):
        shorts += [{"anonymousId": f"a{number}"}, {"userId": "u", "anonymousId": f"a{number}"}]
    played = Played(space).play([make_event(number, short) for number, short in enumerate(shorts)])
    graph = played.graph
    assert len(graph.merges) == 100
    assert [one.kind for one in graph.violations.values()] == ["merge_limit_exceeded"] * 2
    user = graph.canonical[graph.links["user_id:u"].profile_id]
    assert played.answers[-1].profile_id == user
    assert graph.canonical[graph.links["anonymous_id:a101"].profile_id] != user


def test_a_profile_takes_a_thousand_identifiers_and_its_events_still_come_to_it() -> None:
    space = make_space(types=[{"name": "anonymous_id", "limit": MANY}])
    events = [make_event(number, {"userId": "u", "anonymousId": f"a{number}"}) for number in range(1_001)]
    played = Played(space).play(events)
    assert len(played.graph.links) == 1_000
    assert len({one.profile_id for one in played.answers}) == 1
    assert {one.kind for one in played.graph.violations.values()} == {"mapping_limit_exceeded"}


def test_a_limit_tightened_later_leaves_profiles_as_they_are_and_their_events_come_to_them() -> None:
    loose = Played(make_space(types=[{"name": "user_id", "limit": 2, "priority": 1}]))
    loose.play(
        [make_event(1, {"userId": "u1", "anonymousId": "a"}), make_event(2, {"userId": "u2", "anonymousId": "a"})]
    )
    tight = Played(make_space(), graph=loose.graph).play(
        [make_event(3, {"userId": "u1"}), make_event(4, {"userId": "u2", "anonymousId": "a9"})]
    )
    assert [one.profile_id for one in tight.answers] == [loose.answers[0].profile_id] * 2
    assert "anonymous_id:a9" in tight.graph.links
    tight.play([make_event(5, {"userId": "u3", "anonymousId": "a"})])
    assert tight.answers[-1].profile_id != loose.answers[0].profile_id


def test_profiles_that_were_told_apart_are_not_merged_again() -> None:
    first = Played(make_space()).play([make_event(1, {"anonymousId": "a"}), make_event(2, {"userId": "u"})])
    nodes = sorted(first.graph.nodes)
    first.graph.apart.add((nodes[0], nodes[1]))
    again = Played(make_space(), graph=first.graph).play([make_event(3, {"userId": "u", "anonymousId": "a"})])
    assert again.answers[0].profile_id == first.answers[1].profile_id
    assert [one.kind for one in again.graph.violations.values()] == ["kept_apart"]


def test_a_sender_cannot_fill_the_store_with_violations() -> None:
    events = [make_event(number, {"userId": "u", "context": {"groupId": ""}}) for number in range(500)]
    assert len(Played(make_space(), slice=500).play(events).graph.violations) == 100


def test_a_value_that_no_index_holds_is_no_identifier() -> None:
    events = [make_event(1, {"userId": "x" * 600, "anonymousId": "a"}), make_event(2, {"userId": "a\0b"})]
    played = Played(make_space()).play(events)
    assert list(played.graph.links) == ["anonymous_id:a"]
    assert [one.kind for one in played.graph.violations.values()] == ["value_too_long", "no_identifier"]


@pytest.mark.parametrize(
    ("short", "kind"),
    [
        ({"type": "identify", "userId": "u", "traits": {f"t{n}": n for n in range(300)}}, "too_many_properties"),
        ({"userId": "u", "properties": {f"t{n}": n for n in range(301)}}, "too_many_properties"),
        ({"type": "group", "userId": "u", "groupId": "g" * 501}, "group_id_too_long"),
        ({"userId": "u", "context": {"groupId": "g" * 501}}, "group_id_too_long"),
        ({"type": "group", "userId": "u", "groupId": ""}, "group_id_empty"),
        ({"userId": "u", "messageId": "m" * 101}, "message_id_too_long"),
    ],
)
def test_what_is_too_large_stays_out_of_the_space(short: dict[str, Any], kind: str) -> None:
    played = Played(make_space()).play([make_event(1, short)])
    assert [one.kind for one in played.graph.violations.values()] == [kind]
    assert played.answers[0].profile_id == ""


def test_what_is_just_within_the_limits_gets_in() -> None:
    shorts = [
        {"type": "identify", "userId": "u", "traits": {f"t{n}": n for n in range(299)}},
        {"userId": "u", "properties": {f"t{n}": n for n in range(300)}},
        {"type": "group", "userId": "u", "groupId": "g" * 496},
    ]
    played = Played(make_space()).play([make_event(number, short) for number, short in enumerate(shorts)])
    assert len({one.profile_id for one in played.answers}) == 1
    assert not played.graph.violations


def test_types_without_a_priority_follow_by_name() -> None:
    assert [kind.name for kind in sorted(DEFAULT_TYPES, key=rank)][:5] == [
        "user_id",
        "email",
        "android.id",
        "android.idfa",
        "android.push_token",
    ]


def test_the_short_way_and_the_long_way_find_the_same() -> None:
    plain = compile_extract(compile_rules(make_space()))
    long = compile_extract(
        compile_rules(make_space(types=[{"name": "user_id", "limit": 1, "priority": 1, "blocked": [{"value": "-"}]}]))
    )
    for short in ({"userId": "u"}, {"anonymousId": "a"}, {"userId": "u", "anonymousId": "a", "properties": {"x": 1}}):
        assert tuple(plain(make_event(1, short)).users) == tuple(long(make_event(1, short)).users)


@pytest.mark.parametrize(
    "pattern", ["(a|b)", "(a+)+", "a*a*b", "^a*b*c*$", "(?=x)", r"(.)\1", "x" * 201, "[z-a]", "a{1,3}{2}"]
)
def test_a_pattern_that_could_be_slow_is_refused(pattern: str) -> None:
    with pytest.raises(SetupError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "blocked", "free"),
    [
        ("^[0-]*$", "000-0", "0-1"),
        ("-1", "x-1y", "1"),
        (r"^test\+.*@x\.y$", "test+1@x.y", "test@x.y"),
        ("^a{3}$", "aaa", "aa"),
    ],
)
def test_a_pattern_blocks_what_it_says(pattern: str, blocked: str, free: str) -> None:
    assert compile_pattern(pattern).search(blocked)
    assert not compile_pattern(pattern).search(free)


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        [IdentifierType(name="Email")],
        [IdentifierType(name="a:b")],
        [IdentifierType(name="email"), IdentifierType(name="email")],
        [IdentifierType(name="email", limit=0)],
        [IdentifierType(name="email", blocked=(Blocked("(", "pattern"),))],
        [IdentifierType(name="email", priority=0)],
    ],
)
def test_rules_that_cannot_be_are_refused(kinds: list[IdentifierType]) -> None:
    with pytest.raises(SetupError):
        check(kinds)


def test_what_was_used_lately_is_remembered_and_the_rest_is_not() -> None:
    lately: Lately[str] = Lately(10)
    for number in range(100):
        lately.put(str(number), "x")
        lately.get("0")
        lately.turn()
    assert len(lately) <= 12
    assert lately.get("0") == "x"
    assert lately.get("50") is None
