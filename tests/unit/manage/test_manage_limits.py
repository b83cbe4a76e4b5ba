"""A token asks so often a minute, and is told where it stands."""

from headwater.manage.limits import Meter

MINUTE = 60_000


def test_a_token_beyond_its_minute_is_refused_until_the_next_and_others_are_not() -> None:
    meter = Meter(2)
    answers = [meter.count("a", 5 * MINUTE + second) for second in (0, 1, 2)]
    assert [one.granted for one in answers if one] == [True, True, False]
    assert [one.remaining for one in answers if one] == [1, 0, 0]
    other = meter.count("b", 5 * MINUTE + 3)
    assert other is not None and other.granted
    later = meter.count("a", 6 * MINUTE)
    assert later is not None and later.granted


def test_the_headers_tell_when_the_minute_ends() -> None:
    allowance = Meter(10).count("a", 90_000)
    assert allowance is not None
    assert allowance.headers() == {
        "X-RateLimit-Consumed": "1",
        "X-RateLimit-Remaining": "9",
        "X-RateLimit-Reset": "Thu, 01 Jan 1970 00:02:00 GMT",
    }


def test_without_a_limit_nothing_is_counted() -> None:
    assert Meter(0).count("a", 1) is None
