"""Passwords are guessed so often a minute and no more, and the count of it stays small."""

from headwater.manage.throttle import Throttle

MINUTE = 60_000


def test_after_five_failures_an_email_waits_until_the_first_is_a_minute_old() -> None:
    throttle = Throttle()
    assert [throttle.begin("a", 1_000 * second) for second in range(5)] == [0] * 5
    assert throttle.begin("a", 5_000) == MINUTE - 5_000
    assert throttle.begin("b", 5_000) == 0
    assert throttle.begin("a", MINUTE) == 0
    assert throttle.begin("a", MINUTE) == 1_000


def test_after_fifty_failures_everybody_waits() -> None:
    throttle = Throttle()
    assert [throttle.begin(str(number), number) for number in range(50)] == [0] * 50
    assert throttle.begin("another", 50) == MINUTE - 50
    assert throttle.begin("another", MINUTE) == 0


def test_tries_that_succeed_do_not_count_and_forgive_none_before() -> None:
    throttle = Throttle()
    for second in range(4):
        throttle.begin("a", second)
    for second in range(4, 20):
        assert throttle.begin("a", second) == 0
        throttle.succeed("a", second)
    assert throttle.begin("a", 20) == 0
    assert throttle.begin("a", 21) > 0


def test_tries_count_while_they_run() -> None:
    throttle = Throttle(per_email=2)
    assert [throttle.begin("a", 7) > 0 for _ in range(3)] == [False, False, True]
    throttle.succeed("a", 7)
    assert [throttle.begin("a", 8) > 0 for _ in range(2)] == [False, True]


def test_it_holds_no_more_than_it_allows_however_often_it_is_asked() -> None:
    throttle = Throttle()
    for number in range(10_000):
        throttle.begin(str(number), 1)
    assert len(throttle._failures) == 50


def test_a_try_that_comes_with_an_older_instant_forgives_none_of_the_newer() -> None:
    throttle = Throttle()
    for second in range(5):
        throttle.begin("a", 10_000 + second)
    assert throttle.begin("a", 9_000) > 0
    assert throttle.begin("a", 10_006) > 0
