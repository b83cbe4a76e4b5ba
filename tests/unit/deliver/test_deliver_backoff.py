"""Waits and horizons."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.deliver.backoff import horizon_ms, wait_seconds


def test_the_most_to_wait_doubles_up_to_the_longest() -> None:
    waits = [wait_seconds(attempts, first=10, longest=1_200, chance=1.0) for attempts in range(1, 10)]
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1_200, 1_200]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_wait_is_anything_from_nothing_to_the_most(attempts: int, chance: float) -> None:
    most = wait_seconds(attempts, first=10, longest=1_200, chance=1.0)
    assert wait_seconds(attempts, first=10, longest=1_200, chance=0.0) == 0
    assert wait_seconds(attempts, first=10, longest=1_200, chance=chance) == most * chance


def test_a_longer_row_of_attempts_never_waits_less() -> None:
    waits = [wait_seconds(attempts, first=10, longest=1_200, chance=0.3) for attempts in range(1, 100)]
    assert all(earlier <= later for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    ("own", "hours"), [(None, 4), (12, 12), (0.5, 0.5), (10_000, 720), (-1, 0), ("12", 4), (True, 4)]
)
def test_a_destination_may_have_its_own_horizon_within_bounds(own: object, hours: float) -> None:
    assert horizon_ms(own, 4) == hours * 3_600_000
