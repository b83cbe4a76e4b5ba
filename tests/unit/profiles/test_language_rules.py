"""What a query refers to, what it reads, how much it keeps, and how accounts ask their users."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_reference import account_answer
from language_strategies import condition, history, moment, traits

from headwater.profiles.language import (
    Item,
    Needs,
    Query,
    QueryError,
    columns,
    compile_query,
    dump,
    event_name,
    find_cycle,
    load,
    parse,
    references,
    show,
)
from headwater.profiles.language.tree import AllUsers, And, AnyUser, Not, Or

NOW = 1_710_460_800_000
DAY = 86_400_000


def item(number: int, at: int, name: str = "A", **properties: Any) -> Item:
    return Item("track", name, "s1", f"m{number:06}", at, properties, {})


def test_references_name_events_traits_and_the_audiences_among_them() -> None:
    asked = parse(
        "event('A').where(event('B').count() > trait('limit.daily') AND property('p') = 1).count() >= 1"
        " AND trait('vips') = true"
    )
    found = references(asked, {"vips", "others"})
    assert (found.events, found.traits, found.audiences) == ({"A", "B"}, {"limit", "vips"}, {"vips"})


@pytest.mark.parametrize(
    ("definitions", "cycle"),
    [
        ({"a": "trait('a') = true"}, ("a", "a")),
        ({"a": "trait('b') = true", "b": "NOT trait('a') = true"}, ("a", "b", "a")),
        (
            {"a": "trait('b') = 1", "b": "event('E').where(trait('c') = 1).count()", "c": "trait('b') = 1"},
            ("b", "c", "b"),
        ),
        ({"a": "trait('b') = 1 AND trait('c') = 1", "b": "trait('c') = 1", "c": "trait('d') = 1"}, None),
        ({}, None),
    ],
)
def test_a_definition_that_leads_to_itself_is_found(definitions: dict[str, str], cycle: Any) -> None:
    assert find_cycle({key: parse(text) for key, text in definitions.items()}) == cycle


def test_a_long_chain_of_definitions_is_followed() -> None:
    chain = {f"a{number}": parse(f"trait('a{number + 1}') = true") for number in range(3_000)}
    assert find_cycle(chain) is None
    assert len(find_cycle(chain | {"a3000": parse("trait('a0') = true")}) or ()) == 3_002


def test_columns_say_what_must_be_read_of_which_event() -> None:
    asked = parse(
        "event('A').where(property('o.x') = 1 AND event('B').where(property('sku') = property(parent: 'l.$.sku')"
        " AND context('page.url').exists()).sum(property('price')) > 1).count() >= 1"
    )
    assert columns(asked) == {
        "A": Needs(frozenset({("o", "x"), ("l", "$", "sku")})),
        "B": Needs(frozenset({("sku",), ("price",)}), frozenset({("page", "url")})),
    }
    assert columns(parse("trait('a') = 1")) == {}
    assert columns(parse("event('A').count()")) == {"A": Needs()}


def test_an_event_that_no_query_names_is_not_wanted() -> None:
    compiled = compile_query(parse("event('A').count()"))
    state = compiled.new_state()
    assert compiled.events == {"A"}
    assert not compiled.wants(item(1, NOW, "B"))
    assert not compiled.fold(state, item(1, NOW, "B"))
    assert compiled.fold(state, item(2, NOW, "A"))
    assert [event_name(kind, "A") for kind in ("track", "page", "screen", "identify")] == [
        "A",
        "Page Viewed",
        "Screen Viewed",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("event('A').within(3650 days).count()", 10_000),
        ("event('A').within(3650 days).sum(property('x'))", 10_000),
        ("event('A').where(property('x') >= trait('t')).count()", 10_000),
        ("event('A').unique(property('x')).count()", 10_000),
        ("event('A').where(NOT event('B').count() >= 1).count()", 1_000),
        ("event('A').where(event('B').where(event('C').count() = 0).count() = 0).count()", 100),
    ],
)
def test_a_state_is_bounded_and_the_newest_count(text: str, most: int) -> None:
    compiled = compile_query(parse(text))
    state = compiled.new_state()
    for number in range(most + 50):
        compiled.fold(state, item(number, NOW + number, x=number))
    assert compiled.value(state, {"t": 0}, NOW + most + 50) in (most, sum(range(50, most + 50)))
    assert max(len(place) for place in state) == most
    compiled.fold(state, item(0, NOW - 1, x=-1))
    assert max(len(place) for place in state) == most
    assert len(compiled.merge(state, state)[0]) == most


def test_what_left_a_window_is_forgotten() -> None:
    compiled = compile_query(
        parse(
            "event('A').within(1 day).count() >= 1 AND event('A').within(2 days).max(property('x')) > 0 AND"
            " event('A').where(event('B').within(5 days).count() >= 0).within(1 day).count() >= 1"
        )
    )
    state = compiled.new_state()
    for number, name in enumerate("AB" * 50):
        compiled.fold(state, item(number, NOW - number * DAY // 10, name, x=1))
    assert compiled.value(state, {}, NOW) is True
    assert [len(place) for place in state] == [6, 11, 6, 5]
    compiled.evaluate(state, {}, NOW + 9 * DAY)
    assert [len(place) for place in state] == [0, 0, 0, 0]


def test_long_and_odd_values_are_kept_short_and_writable() -> None:
    compiled = compile_query(parse("event('A').unique(property('x'))"))
    state = compiled.new_state()
    for number, odd in enumerate(["é" * 5_000, "\ud800", 2**64, 10**400, -(2**70), {"a": [1]}, float("inf"), True]):
        compiled.fold(state, item(number, NOW, x=odd))
    found = compiled.value(load(dump(state)), {}, NOW)
    assert isinstance(found, list)
    assert {len(each) for each in found if each.startswith("é")} == {1_000}
    assert {"?", "true", '{"a":[1]}'} < set(found)


def test_a_sum_is_the_same_in_every_order() -> None:
    compiled = compile_query(parse("event('A').sum(property('x'))"))
    amounts = [0.1] * 10 + [1e16, -1e16, 3, 1e-9]
    answers: set[Any] = set()
    for seed in range(20):
        Random(seed).shuffle(amounts)
        halves = compiled.new_state(), compiled.new_state()
        for number, amount in enumerate(amounts):
            compiled.fold(halves[number % 2], item(number, NOW, x=amount))
        answers.add(compiled.value(compiled.merge(*halves), {}, NOW))
    assert answers == {4.000000001}


def test_many_states_are_joined_without_copying_what_is_kept_for_each() -> None:
    """An account has 10,000 people; joined one after the other they took a minute and a half."""
    compiled = compile_query(parse("event('A').within(30 days).sum(property('x'))"))
    copied = 0

    def merge(one: Any, other: Any) -> Any:
        nonlocal copied
        merged = compiled.merge(one, other)
        copied += len(merged[0])
        return merged

    states = [compiled.new_state() for _ in range(1_001)]
    for number, state in enumerate(states):
        compiled.fold(state, item(number, NOW - number, x=1))
    whole = msgspec.structs.replace(compiled, merge=merge).whole(states)
    assert compiled.value(whole, {}, NOW) == 1_001
    assert copied < 11 * 1_001
    assert all(len(state[0]) == 1 for state in states)
    assert compiled.whole([]) == compiled.new_state()


def some_audience(r: Random, depth: int = 0) -> Any:
    kind = r.random()
    if depth < 2 and kind < 0.4:
        made = tuple(some_audience(r, depth + 1) for _ in range(2))
        if kind < 0.2:
            return And(parts=made)
        return Or(parts=made) if kind < 0.3 else Not(part=made[0])
    part = condition(r, levels=1)
    return AnyUser(part=part) if kind < 0.6 else AllUsers(part=part) if kind < 0.8 else part


@given(st.integers(0, 2**32).map(Random))
@settings(max_examples=100, deadline=None)
def test_accounts_answer_as_the_definition_says_of_their_users(r: Random) -> None:
    for _ in range(5):
        asked, own, now = Query(some_audience(r)), traits(r), moment(r)
        compiled = compile_query(asked, "ACCOUNTS")
        users = [(history(r, 4), traits(r)) for _ in range(r.randint(0, 3))]
        states: list[tuple[Any, Any]] = []
        for items, of_user in users:
            state = compiled.new_state()
            for each in items:
                compiled.fold(state, each)
            states.append((state, of_user))
        assert compiled.value_for_account(states, own, now) is account_answer(asked, users, own, now), show(asked)


def test_a_trait_of_accounts_counts_the_events_of_all_its_users() -> None:
    compiled = compile_query(parse("event('A').count()"), "ACCOUNTS")
    assert not compiled.per_user
    one, other = compiled.new_state(), compiled.new_state()
    compiled.fold(one, item(1, NOW))
    compiled.fold(other, item(2, NOW))
    assert compiled.value(compiled.merge(one, other), {}, NOW) == 2


def test_what_is_due_for_an_account_is_due_for_it_or_for_a_user() -> None:
    compiled = compile_query(
        parse("ALL event('A').within(1 day).count() >= 1 AND trait('t').within_next(1 day)"), "ACCOUNTS"
    )
    state = compiled.new_state()
    compiled.fold(state, item(1, NOW))
    answers, due = compiled.answers(state, {}, NOW)
    assert (answers, due) == ((True,), NOW + DAY + 1)
    assert compiled.of_account([answers], {"t": "2024-03-16T12:00:00Z"}, NOW) == (False, NOW + DAY // 2)


def test_a_query_is_checked_before_it_is_compiled() -> None:
    with pytest.raises(QueryError, match="stands inside"):
        compile_query(parse("property('x') = 1"))
