"""The circuit breaker, and the pace of requests."""

from headwater.deliver.breaker import CLOSED, Breaker, abandoned, failed, started, succeeded
from headwater.deliver.pace import Pace


def fail(breaker: Breaker, now: float) -> Breaker:
    return failed(breaker, now, limit=3, seconds=30)


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = fail(fail(CLOSED, 0), 1)
    assert breaker.closed and breaker.allows(1)
    breaker = fail(breaker, 2)
    assert not breaker.closed and breaker.resting(2) and not breaker.allows(31.9)


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = succeeded(fail(fail(CLOSED, 0), 1))
    assert breaker is CLOSED
    assert fail(breaker, 2).closed


def test_half_open_lets_one_request_through() -> None:
    breaker = fail(fail(fail(CLOSED, 0), 0), 0)
    assert breaker.allows(30)
    breaker = started(breaker)
    assert not breaker.allows(30) and not breaker.resting(30)


def test_the_probe_decides() -> None:
    probing = started(fail(fail(fail(CLOSED, 0), 0), 0))
    assert succeeded(probing) is CLOSED
    assert fail(probing, 40).resting(69)
    assert abandoned(probing).allows(40)


def test_failures_of_requests_that_were_under_way_do_not_shorten_the_rest() -> None:
    breaker = failed(CLOSED, 0, limit=3, seconds=600, at_once=True)
    assert fail(breaker, 1).open_until == 600


def test_starting_while_closed_changes_nothing() -> None:
    assert started(CLOSED) is CLOSED


def test_a_pace_is_kept_evenly() -> None:
    pace = Pace(10)
    now, starts = 100.0, []
    for _ in range(30):
        now += pace.wait(now)
        pace.start(now)
        starts.append(now)
    assert 2.7 <= starts[-1] - starts[0] <= 2.9


def test_no_pace_never_waits() -> None:
    pace = Pace(0)
    pace.start(0)
    assert pace.wait(0) == 0
