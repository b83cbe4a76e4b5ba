"""Ages of deliveries: buckets of fixed bounds, and the quantiles read off them."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.ages import BOUNDS, BUCKETS, DAY_MS, Ages, add_ages, bucket_of, quantile
from headwater.spec.outcome import Named, OutcomeBatch, decode_outcomes, encode_outcomes


def counted(received: list[int], at: int) -> dict[int, int]:
    buckets = [0] * BUCKETS
    add_ages(buckets, received, at)
    return {bucket: events for bucket, events in enumerate(buckets) if events}


@pytest.mark.parametrize(
    ("ms", "bucket"),
    [(-5, 0), (0, 0), (1, 0), (1.1, 1), (DAY_MS - 1, 39), (DAY_MS, 39), (9 * DAY_MS, 39)],
)
def test_every_age_has_a_bucket(ms: float, bucket: int) -> None:
    assert bucket_of(ms) == bucket


def test_bounds_grow_from_a_millisecond_to_a_day() -> None:
    assert (len(BOUNDS), BOUNDS[0], BOUNDS[-1]) == (BUCKETS, 1.0, DAY_MS)
    assert sorted(set(BOUNDS)) == list(BOUNDS)


@given(st.lists(st.integers(-5, 2 * DAY_MS) | st.sampled_from([int(bound) for bound in BOUNDS]), max_size=50))
def test_ages_added_together_are_those_that_are_looked_up_one_by_one(ages: list[int]) -> None:
    now = 1_704_103_200_000
    one_by_one = Counter(bucket_of(age) for age in ages)
    assert counted([now - age for age in ages], now) == one_by_one


@given(st.lists(st.integers(0, 2 * DAY_MS), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_off_by_one_bucket_at_most(ages: list[int], q: float) -> None:
    found = quantile(counted([-age for age in ages], 0), q)
    ordered = sorted(ages)
    exact = ordered[max(0, -(-int(q * 1e9) * len(ages) // 10**9) - 1)]
    assert found is not None
    assert abs(bucket_of(found * 0.999999) - bucket_of(exact)) <= 1


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0])
def test_nothing_has_no_quantile(q: float) -> None:
    assert quantile({}, q) is None
    assert quantile({3: 0}, q) is None


def test_half_of_two_ages_is_the_lower() -> None:
    assert quantile({bucket_of(10): 1, bucket_of(1_000): 1}, 0.5) == pytest.approx(BOUNDS[bucket_of(10)])


def test_events_of_one_instant_count_together() -> None:
    assert counted([100, 100, 90], 110) == {bucket_of(10): 2, bucket_of(20): 1}
    assert counted([100], 110) == {bucket_of(10): 1}
    assert counted([], 110) == {}


def test_outcomes_of_an_older_version_are_still_read() -> None:
    old = msgspec.msgpack.encode(
        {"room": "deliver", "partition": 0, "first": 1, "last": 2, "at": 3, "counts": [["s", "d", 1, "matched", "", 2]]}
    )
    assert decode_outcomes(old).ages == []
    assert decode_outcomes(old).names == []


def test_ages_and_names_are_read_as_they_were_written() -> None:
    batch = OutcomeBatch("deliver", 0, 1, 2, 3, [], ages=[Ages("s", "d", 5, {0: 1, 39: 2})], names=[])
    assert decode_outcomes(encode_outcomes(batch)) == batch
    batch = OutcomeBatch(
        "pipeline", 0, 1, 2, 3, [], names=[Named("s", "track", "A", 3, 17), Named("s", "a", "", 1, 2, True)]
    )
    assert decode_outcomes(encode_outcomes(batch)) == batch
