"""The compiled form says what the definition says: in any order, after restarts and merges, at every instant."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from language_reference import answer
from language_strategies import BASE, HOUR, history, query, traits
from language_strategies import moment as some_moment

from headwater.profiles.language import Item, Query, compile_query, dump, load, show
from headwater.profiles.language.tree import Between, Compare, Duration, Within
from headwater.profiles.language.values import moment
from headwater.profiles.language.walking import parts

chances = st.integers(0, 2**32).map(Random)
EACH = 10
"""Cases of one seed; more would be slower to tell from each other."""


def like(one: Any, other: Any) -> bool:
    """The same answer; sums of floats in another order may differ in the last digit."""
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one))
    return one == other and type(one) is type(other)


@given(chances)
@settings(max_examples=200, deadline=None)
def test_items_in_any_order_and_restarts_give_what_the_definition_says(r: Random) -> None:
    for _ in range(EACH):
        asked, coming, known = query(r), history(r), traits(r)
        compiled = compile_query(asked)
        state = compiled.new_state()
        seen: list[Item] = []
        for now in sorted(some_moment(r) for _ in range(3)):
            for _ in range(r.randint(0, len(coming))):
                seen.append(coming.pop(r.randrange(len(coming))))
                changed = compiled.fold(state, seen[-1])
                assert not changed or compiled.wants(seen[-1])
                if r.random() < 0.2:
                    state = load(dump(state))
            assert like(compiled.value(state, known, now), answer(asked, seen, known, now)), (show(asked), seen, now)


@given(chances)
@settings(max_examples=120, deadline=None)
def test_merged_profiles_are_as_if_they_had_always_been_one(r: Random) -> None:
    for _ in range(EACH):
        asked, items, known, now = query(r), history(r), traits(r), some_moment(r)
        compiled = compile_query(asked)
        halves = compiled.new_state(), compiled.new_state()
        for item in items:
            compiled.fold(r.choice(halves), item)
        before = [dump(half) for half in halves]
        merged = compiled.merge(*halves)
        later = history(r, 2, "l")
        for item in later:
            compiled.fold(merged, item)
        assert like(compiled.value(merged, known, now), answer(asked, items + later, known, now)), show(asked)
        assert [dump(half) for half in halves] == before


def instants(asked: Query, items: list[Item], known: dict[str, Any]) -> list[int]:
    """Every instant at which a window, an age or a date could turn, and the one after it."""
    lengths = {0}
    for node in parts(asked.body):
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
    return sorted({turn + after for turn in turns for after in (0, 1)})


@given(chances)
@settings(max_examples=120, deadline=None)
def test_nothing_changes_before_it_is_due(r: Random) -> None:
    """Whoever asks only when an answer is due never holds a wrong one, though nothing comes."""
    for _ in range(EACH):
        asked, items, known = query(r), history(r, 5), traits(r)
        compiled = compile_query(asked)
        state = compiled.new_state()
        for item in items:
            compiled.fold(state, item)
        now = BASE - 100 * HOUR
        held, due = compiled.evaluate(state, known, now)
        for instant in instants(asked, items, known):
            while due is not None and due <= instant:
                assert due > now
                now = due
                held, due = compiled.evaluate(state, known, now)
            if instant >= now:
                expected = answer(asked, items, known, instant)
                assert like(held, expected), (show(asked), items, known, instant, due)
