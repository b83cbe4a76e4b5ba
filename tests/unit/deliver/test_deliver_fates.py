"""From verdicts to fates, and which requests may show a sample or start."""

from headwater.deliver.attempt import item_verdict
from headwater.deliver.classify import Verdict
from headwater.deliver.fates import Fate, fate
from headwater.deliver.samples import FAILURES_PER_SECOND, SUCCESSES_PER_SECOND, Samples
from headwater.spec.destination import Failed
from headwater.spec.outcome import Step

AT = 1_000_000


def later(**more: object) -> Fate:
    verdict = Verdict(Step.PENDING, "RETRY", "503: busy", 503, ill=True, **more)  # pyright: ignore[reportArgumentType]
    return fate(verdict, 0, attempts=3, at=AT, expires_at=AT + 60_000, wait=10.0)


def test_a_delivery_is_tried_again_after_the_wait() -> None:
    assert later() == Fate("waiting", "RETRY", "503: busy", AT + 10_000)


def test_a_time_that_the_destination_names_counts_instead() -> None:
    assert later(retry_after=30.0).due_at == AT + 30_000


def test_who_says_at_once_is_asked_after_the_wait_nonetheless() -> None:
    assert later(retry_after=0.0).due_at == AT + 10_000


def test_no_time_lies_beyond_the_horizon() -> None:
    assert later(retry_after=3_600.0).due_at == AT + 60_000


def test_what_fails_at_the_horizon_has_expired_and_says_why() -> None:
    verdict = Verdict(Step.PENDING, "TIMEOUT", "No whole answer within 10 seconds.")
    found = fate(verdict, 0, attempts=9, at=AT, expires_at=AT, wait=10.0)
    expected = "TIMEOUT after 9 attempts: No whole answer within 10 seconds."
    assert (found.state, found.reason, found.detail) == ("failed", "EXPIRED", expected)


def test_an_item_can_fail_in_a_batch_that_was_delivered() -> None:
    verdict = Verdict(Step.DELIVERED, status=207, items={1: item_verdict(Failed("no email"))})
    fates = [fate(verdict, index, attempts=1, at=AT, expires_at=AT + 1, wait=1.0) for index in range(2)]
    assert fates == [Fate("delivered"), Fate("failed", "MESSAGE_REJECTED", "no email")]


def test_refused_credentials_wait_without_a_horizon() -> None:
    verdict = Verdict(Step.PENDING, "PAUSED", "401", 401, refused=True)
    assert fate(verdict, 0, attempts=1, at=AT, expires_at=0, wait=1.0) == Fate("waiting", "PAUSED", "401", AT)


def test_samples_have_a_budget_for_each_destination_and_one_for_all() -> None:
    every = Samples(times=2)
    one, two, three = Samples(every), Samples(every), Samples(every)
    wanted = [sum(each.wanted(7.5, success=True) for _ in range(100)) for each in (one, two, three)]
    assert wanted == [SUCCESSES_PER_SECOND, SUCCESSES_PER_SECOND, 0]
    assert sum(one.wanted(7.5, success=False) for _ in range(100)) == FAILURES_PER_SECOND
    assert three.wanted(8.0, success=True)
