"""What is known of a profile does not depend on the order in which its events come, nor on how they are split."""

import copy
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.profiles import known
from headwater.profiles.known import Mark, State, Told, bound, decode, encode, fold, fold_packed, pack, traits, unite

VALUES = [b"1", b"2", b'"a"', b"null", b'{"b":[1]}', b'"' + b"x" * 2_000 + b'"']


def histories(chance: random.Random) -> list[Told]:
    found: list[Told] = []
    for position in range(chance.randint(1, 25)):
        at = chance.randint(0, 5)
        mark = Mark(at, at + chance.randint(0, 2), position, f"m{position}", chance.choice("ab"))
        written = {key: chance.choice(VALUES) for key in "xyz" if chance.random() < 0.4}
        groups = tuple(chance.sample(["acc_1", "acc_2"], chance.randint(0, 2)))
        found.append(Told(mark, chance.choice(["", "Bought", "Looked"]), written, groups))
    return found


def folded(history: list[Told]) -> State:
    state = None
    for told in history:
        state = fold(state, told)
    assert state is not None
    return state


def told(at: int, **written: str) -> Told:
    return Told(Mark(at, at, at, f"m{at}", "web"), "", {key: value.encode() for key, value in written.items()})


def values(state: State) -> dict[str, str]:
    return {key: write.value.decode() for key, write in traits(state).items()}


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_any_order_and_any_split_come_to_the_same(seed: int) -> None:
    chance = random.Random(seed)
    history = histories(chance)
    whole = folded(history)
    mixed = history.copy()
    chance.shuffle(mixed)
    cut = chance.randint(0, len(mixed))
    assert folded(mixed) == whole
    parts = [folded(part) for part in (mixed[:cut], mixed[cut:]) if part]
    before = copy.deepcopy(parts)
    assert unite(parts) == whole
    assert parts == before
    assert decode(encode(whole)) == whole


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_bounded_early_is_what_is_bounded_late(seed: int) -> None:
    chance = random.Random(seed)
    history = histories(chance)
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("MAX_TRAITS", "MAX_NAMES", "MAX_GROUPS"):
            patch.setattr(known, limit, 1)
        whole = bound(folded(history))
        mixed = history.copy()
        chance.shuffle(mixed)
        cut = chance.randint(0, len(mixed))
        united = unite([bound(folded(part)) for part in (mixed[:cut], mixed[cut:]) if part])
        assert united is not None
        united = bound(united)
        assert values(united) == values(whole)
        assert (united.names, united.groups) == (whole.names, whole.groups)
        assert (united.events, united.sources, united.first, united.last) == (
            whole.events,
            whole.sources,
            whole.first,
            whole.last,
        )


def test_the_newest_value_wins_and_null_takes_a_trait_away() -> None:
    state = folded(
        [told(3, plan='"pro"', city='"Oslo"'), told(1, plan='"free"'), told(4, city="null"), told(2, n="{}")]
    )
    assert values(state) == {"plan": '"pro"', "n": "{}"}
    assert values(fold(state, told(5, city='""'))) == {"plan": '"pro"', "n": "{}", "city": '""'}


def test_a_value_that_is_written_again_and_again_crowds_no_other_out() -> None:
    state = folded([told(0, plan='"old"'), *(told(at, plan='"new"') for at in range(1, 40))])
    assert [write.value for write in state.traits["plan"]] == [b'"new"', b'"old"']
    assert state.traits["plan"][0].mark.at == 39


def test_of_many_values_the_last_ten_are_kept() -> None:
    state = folded([told(at, plan=str(at)) for at in range(50)])
    assert [write.value for write in state.traits["plan"]] == [str(at).encode() for at in range(49, 39, -1)]


def test_a_state_stays_within_its_bounds_whatever_a_sender_does() -> None:
    state = folded([told(at, **{f"k{at}-{n}": '"' + "x" * 900 + '"' for n in range(100)}) for at in range(20)])
    for number in range(3_000):
        state.names[f"n{number:04}"] = 1
    assert len(encode(bound(state))) < 1_200_000
    assert "k19-5" in state.traits
    assert "k0-5" not in state.traits
    assert len(state.names) == known.MAX_NAMES
    assert bound(msgspec.msgpack.decode(encode(state), type=State)) == state


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_folded_into_bytes_is_what_is_folded(seed: int) -> None:
    chance = random.Random(seed)
    history = histories(chance)
    if chance.random() < 0.5:
        history.sort(key=lambda each: each.mark)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "MAX_NAMES", chance.randint(1, 3))
        patch.setattr(known, "MAX_GROUPS", chance.randint(1, 3))
        data, state = b"", None
        while history:
            some = [history.pop(0) for _ in range(min(len(history), chance.randint(1, 4)))]
            if chance.random() < 0.5:
                some = [msgspec.structs.replace(each, traits=None) for each in some]
            data = fold_packed(data, some)
            for each in some:
                state = fold(state, each)
            assert state is not None
            assert decode(data) == bound(state)
            assert data == fold_packed(data, [])


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_state_as_bytes_is_within_its_bounds(seed: int) -> None:
    chance = random.Random(seed)
    state = folded(histories(chance))
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("MAX_TRAITS", "MAX_NAMES", "MAX_GROUPS"):
            patch.setattr(known, limit, chance.randint(1, 4))
        patch.setattr(known, "MAX_TRAIT_BYTES", chance.choice([0, 10, 100, 2_500, 10_000]))
        data = pack(copy.deepcopy(state))
        assert decode(data) == bound(state)
