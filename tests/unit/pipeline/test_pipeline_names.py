"""Which names a chunk of work published, how often, and where one of each stands."""

from headwater.pipeline.process import NAMES_PER_CHUNK, name_counts
from headwater.spec.outcome import Named


def test_each_name_is_told_with_the_place_of_its_last_event() -> None:
    published = [("s", "track", "A"), ("s", "identify", ""), ("s", "track", "A"), ("t", "track", "A")]
    assert name_counts(published, 100) == [
        Named("s", "track", "A", 2, 102),
        Named("s", "identify", "", 1, 101),
        Named("t", "track", "A", 1, 103),
    ]
    assert name_counts([], 5) == []


def test_names_that_are_the_same_when_cut_are_counted_together() -> None:
    (one,) = name_counts([("s", "track", "x" * 200 + "1"), ("s", "track", "x" * 200 + "2\0")], 0)
    assert (one.name, one.events) == ("x" * 200, 2)


def test_more_names_than_are_told_are_counted_together() -> None:
    found = name_counts([("s", "track", f"n{number}") for number in range(NAMES_PER_CHUNK + 10)], 0)
    assert sum(one.events for one in found) == NAMES_PER_CHUNK + 10
    assert [(one.name, one.events) for one in found if one.overflow] == [("", 10)]
