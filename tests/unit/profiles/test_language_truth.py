"""The compiled form says what the definition says: in any order, after restarts and merges, at every instant."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from language_reference import answer
from language_strategies import BASE, HOUR, histories, moments, queries, traits

from headwater.profiles.language import Item, Query, compile_query, dump, load, show
from headwater.profiles.language.tree import Between, Compare, Duration, Within
from headwater.profiles.language.values import moment
from headwater.profiles.language.walking import parts


def like(one: Any, other: Any) -> bool:
    """The same answer; a sum of floats in another order may differ in its last digit."""
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one))
    return one == other and type(one) is type(other)


@given(queries, histories(), traits, st.randoms(use_true_random=False), st.lists(moments, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_items_in_any_order_and_restarts_give_what_the_definition_says(
    query: Query, items: list[Item], known: dict[str, Any], chance: Any, nows: list[int]
) -> None:
    compiled = compile_query(query)
    state = compiled.new_state()
    coming = [*items]
    chance.shuffle(coming)
    seen: list[Item] = []
    for now in sorted(nows):
        for _ in range(chance.randint(0, len(coming))):
            seen.append(coming.pop())
            changed = compiled.fold(state, seen[-1])
            assert not changed or compiled.wants(seen[-1])
            if chance.random() < 0.3:
                state = load(dump(state))
        assert like(compiled.value(state, known, now), answer(query, seen, known, now)), show(query)


@given(queries, histories(), traits, st.randoms(use_true_random=False), moments)
@settings(max_examples=80, deadline=None)
def test_merged_profiles_are_as_if_they_had_always_been_one(
    query: Query, items: list[Item], known: dict[str, Any], chance: Any, now: int
) -> None:
    compiled = compile_query(query)
    halves = compiled.new_state(), compiled.new_state()
    for item in items:
        compiled.fold(chance.choice(halves), item)
    before = [dump(half) for half in halves]
    merged = compiled.merge(*halves)
    assert [dump(half) for half in halves] == before
    assert like(compiled.value(merged, known, now), answer(query, items, known, now)), show(query)
    assert [dump(half) for half in halves] == before


def instants(query: Query, items: list[Item], known: dict[str, Any]) -> list[int]:
    """Every instant at which a window, an age or a date could turn, and the one after it."""
    lengths = {0}
    for node in parts(query.body):
        if isinstance(node, Within):
            lengths.add(node.duration.ms)
        elif isinstance(node, Between):
            lengths |= {node.start.ms, node.end.ms}
        elif isinstance(node, Compare):
            lengths |= {each.ms for each in node.arguments if isinstance(each, Duration)}
    named: list[Any] = [known, *(item.properties for item in items), *(item.context for item in items)]
    starts = {item.at_ms for item in items}
    while named:
        found = named.pop()
        if isinstance(found, dict | list):
            named += found.values() if isinstance(found, dict) else found
        elif (at := moment(found)) is not None:
            starts.add(at)
    turns = {start + sign * length for start in starts for length in lengths for sign in (1, -1)}
    return sorted(turn + after for turn in turns for after in (0, 1))


@given(queries, histories(), traits)
@settings(max_examples=120, deadline=None)
def test_nothing_changes_before_it_is_due(query: Query, items: list[Item], known: dict[str, Any]) -> None:
    """Whoever asks only when an answer is due never holds a wrong one, though nothing comes."""
    compiled = compile_query(query)
    state = compiled.new_state()
    for item in items:
        compiled.fold(state, item)
    now = BASE - 100 * HOUR
    held, due = compiled.evaluate(state, known, now)
    assert like(held, answer(query, items, known, now))
    for instant in instants(query, items, known):
        while due is not None and due <= instant:
            assert due > now
            now = due
            held, due = compiled.evaluate(state, known, now)
        if instant > now:
            assert like(held, answer(query, items, known, instant)), f"{show(query)} at {instant - BASE}, due {due}"
