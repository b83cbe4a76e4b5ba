"""Numbers and moments as people read them."""

import pytest

from headwater.console.parts import figures

NOON = 1_795_003_200_000


@pytest.mark.parametrize(
    ("events", "shown"), [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (123_456, "123k"), (1_234_567, "1.2M")]
)
def test_a_short_count_has_five_characters_at_most(events: int, shown: str) -> None:
    assert figures.short_count(events) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(None, "–"), (0.4, "0 ms"), (24, "24 ms"), (1_340, "1.3 s"), (300_000, "5 min")]
)
def test_a_length_of_time_has_its_unit(milliseconds: float | None, shown: str) -> None:
    assert figures.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 10, "0 %"),
        (10, 10, "100 %"),
        (1, 8, "12.5 %"),
        (1, 0, "–"),
        (1, 1_000_000, "0.1 %"),
        (999_999, 1_000_000, "99.9 %"),
    ],
)
def test_a_share_is_all_or_nothing_only_when_it_is(part: int, whole: int, shown: str) -> None:
    assert figures.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 KB"), (2_340_000_000, "2.3 GB")]
)
def test_sizes_are_in_powers_of_a_thousand(number: int, shown: str) -> None:
    assert figures.size(number) == shown


def test_a_moment_is_shown_in_the_viewers_zone_with_utc_on_hover() -> None:
    shown = figures.moment_html(NOON, "Asia/Tokyo")
    assert ">2026-11-18 21:00:00<" in shown
    assert 'title="2026-11-18 12:00:00.000 UTC"' in shown


def test_a_zone_that_is_not_known_reads_as_utc() -> None:
    assert ">2026-11-18 12:00:00<" in figures.moment_html(NOON, "../../etc/passwd")


def test_how_long_ago_is_said_in_the_largest_unit() -> None:
    assert ">3 h ago<" in figures.ago_html(NOON - 3 * 3_600_000, NOON, "UTC")
    assert figures.ago_html(None, NOON, "UTC") == "never"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("", None),
        ("2026-01-31T12:30", "2026-01-31T12:30:00Z"),
        ("2026-01-31T12:30:15", "2026-01-31T12:30:15Z"),
    ],
)
def test_what_is_typed_as_date_and_time_is_a_moment_in_utc(text: str | None, moment: str | None) -> None:
    assert figures.typed_moment(text) == moment
