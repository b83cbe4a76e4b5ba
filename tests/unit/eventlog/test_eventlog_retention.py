"""What may be forgotten, and what not."""

from headwater.eventlog.retention import Head, Place, Span, may_go, passed_by_all


def span(base: int, end: int | None, at: int = 100) -> Span:
    return Span(Head(base, 0), None if end is None else Head(end, at))


def test_a_segment_goes_when_it_is_old_and_passed_by_every_group() -> None:
    places = [Place("a", "s", 10), Place("b", "s", 20)]
    assert may_go({"s": span(0, 10)}, places, before=101)
    assert not may_go({"s": span(0, 11)}, places, before=101)


def test_a_segment_whose_last_record_is_as_young_as_the_instant_stays() -> None:
    assert not may_go({"s": span(0, 10, at=100)}, [Place("a", "s", 10)], before=100)


def test_an_active_segment_stays() -> None:
    assert not may_go({"s": span(0, None)}, [Place("a", "s", 10)], before=101)


def test_a_stream_without_records_in_a_segment_does_not_hold_it() -> None:
    spans = {"s": span(0, 10), "empty": span(5, 5)}
    assert may_go(spans, [Place("a", "s", 10), Place("a", "empty", 0)], before=101)


def test_a_stream_that_nobody_read_stays_while_any_group_is_known() -> None:
    assert not may_go({"s": span(0, 10)}, [Place("a", "another", 99)], before=101)
    assert may_go({"s": span(0, 10)}, [], before=101)


def test_what_all_have_passed_ends_where_the_slowest_stands() -> None:
    places = [Place("a", "s", 7), Place("b", "s", 3), Place("b", "t", 1)]
    assert passed_by_all("s", 10, places) == 3
    assert passed_by_all("s", 2, places) == 2
    assert passed_by_all("u", 10, places) == 0
