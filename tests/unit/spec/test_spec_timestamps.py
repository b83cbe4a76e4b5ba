"""Moments: reading what clients write, writing the wire form, correcting a client's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.timestamps import (
    MAX_MOMENT,
    MIN_MOMENT,
    correct,
    format_moment,
    is_wire_form,
    parse_moment,
    read_moment,
)

READ = {
    "2024-01-01T10:00:00.000Z": "2024-01-01T10:00:00.000Z",
    "2024-01-01T10:00:00Z": "2024-01-01T10:00:00.000Z",
    "2024-01-01T10:00Z": "2024-01-01T10:00:00.000Z",
    "2024-01-01": "2024-01-01T00:00:00.000Z",
    "2024-01-01T10:00:00": "2024-01-01T10:00:00.000Z",
    "2024-01-01 10:00:00": "2024-01-01T10:00:00.000Z",
    "2024-01-01t10:00:00z": "2024-01-01T10:00:00.000Z",
    "2024-01-01T10:00:00+02:00": "2024-01-01T08:00:00.000Z",
    "2024-01-01T10:00:00-0530": "2024-01-01T15:30:00.000Z",
    "2024-01-01T10:00:00 +14": "2023-12-31T20:00:00.000Z",
    "2024-01-01T10:00:00.1Z": "2024-01-01T10:00:00.100Z",
    "2024-01-01T10:00:00,25Z": "2024-01-01T10:00:00.250Z",
    "2024-01-01T10:00:00.123456Z": "2024-01-01T10:00:00.123Z",
    "2024-01-01T10:00:00.999999999Z": "2024-01-01T10:00:00.999Z",
    "  2024-01-01T10:00:00Z  ": "2024-01-01T10:00:00.000Z",
    "1969-12-31T23:59:59.999Z": "1969-12-31T23:59:59.999Z",
    "2024-02-29": "2024-02-29T00:00:00.000Z",
    "2099-12-31T23:59:59Z": "2099-12-31T23:59:59.000Z",
}

NOT_READ: list[Any] = [
    "",
    "yesterday",
    "2024-02-30",
    "2023-02-29T00:00:00.000Z",
    "2024-13-01",
    "2024-01-01T25:00:00Z",
    "2024-01-01T24:00:00.000Z",
    "2024-01-01T10:60:00Z",
    "2024-01-01T10:00:61.000Z",
    "2024-01-01T10:00:00+99:00",
    "2024-01-01T10:00:00 UTC",
    "2024-01-01T10:00:00.Z",
    "2024-W01-1",
    "2024-W01-1T10:00:00.000Z",
    "1704103200",
    "٢٠٢٤-٠١-٠١",
    1_704_103_200,
    1_704_103_200_000,
    1.5,
    True,
    None,
    [],
    {},
]


@pytest.mark.parametrize(("written", "published"), READ.items())
def test_every_form_that_clients_write_is_read(written: str, published: str) -> None:
    moment = parse_moment(written)
    assert moment is not None
    assert format_moment(moment) == published


@pytest.mark.parametrize("written", NOT_READ, ids=repr)
def test_what_is_no_timestamp_is_none(written: Any) -> None:
    assert parse_moment(written) is None


@pytest.mark.parametrize(
    ("original", "sent", "received", "timestamp"),
    [
        ("10:00:00", "10:00:05", "11:00:10", "11:00:05"),
        ("10:00:00", None, "11:00:10", "10:00:00"),
        (None, "10:00:05", "11:00:10", "11:00:10"),
        ("12:00:00", "12:00:00", "10:00:01", "10:00:01"),
        ("10:00:09", "10:00:05", "10:00:06", "10:00:10"),
        (None, None, "11:00:10", "11:00:10"),
    ],
)
def test_a_wrong_clock_is_corrected(original: str | None, sent: str | None, received: str, timestamp: str) -> None:
    arrived = parse_moment(f"2024-01-01T{received}Z")
    assert arrived is not None
    happened = correct(
        parse_moment(original and f"2024-01-01T{original}Z"), parse_moment(sent and f"2024-01-01T{sent}Z"), arrived
    )
    assert format_moment(happened) == f"2024-01-01T{timestamp}.000Z"


@given(st.integers(MIN_MOMENT, MAX_MOMENT))
def test_what_is_written_is_read_as_the_same_moment(moment: int) -> None:
    written = format_moment(moment)
    assert is_wire_form(written)
    assert parse_moment(written) == moment


@given(st.from_regex(r"\A[12]\d{3}-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?\Z"))
def test_writing_what_was_read_is_stable(written: str) -> None:
    moment = parse_moment(written)
    if moment is not None and MIN_MOMENT <= moment <= MAX_MOMENT:
        published = format_moment(moment)
        assert format_moment(parse_moment(published) or 0) == published


@given(st.datetimes(timezones=st.timezones()))
def test_any_offset_is_honoured(instant: Any) -> None:
    offset = instant.utcoffset()
    if offset.total_seconds() % 60 == 0:
        expected = int(instant.replace(microsecond=0).timestamp()) * 1000 + instant.microsecond // 1000
        assert parse_moment(instant.isoformat()) == expected


@given(st.text(max_size=40) | st.text("0123456789-:TZ+. ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    moment = parse_moment(text)
    assert moment is None or len(format_moment(moment)) == 24


@given(st.integers())
def test_a_moment_beyond_the_years_is_brought_to_their_end(moment: int) -> None:
    assert format_moment(moment) == format_moment(max(MIN_MOMENT, min(moment, MAX_MOMENT)))


def test_a_timestamp_of_a_whole_page_costs_nothing() -> None:
    for start in ("2024-01-01T10:00", "2024-01-01T10:00:00.5", ""):
        assert parse_moment(start + " " * 100_000 + "x") is None


def test_only_the_form_that_the_house_writes_is_the_wire_form() -> None:
    assert is_wire_form("2024-01-01T10:00:00.000Z")
    for other in ("2024-01-01T10:00:00.00Z", "2024-01-01 10:00:00.000Z", "2024-W01-1T10:00:00.000Z", ""):
        assert not is_wire_form(other)


@given(st.datetimes(), st.integers(0, 999))
def test_the_wire_form_of_any_moment_is_read_back(day: datetime, milliseconds: int) -> None:
    text = f"{day.replace(microsecond=0).isoformat()}.{milliseconds:03d}Z"
    expected = (day.replace(microsecond=0) - datetime(1970, 1, 1)) // timedelta(milliseconds=1) + milliseconds
    assert parse_moment(text) == expected
    assert read_moment(text) == (expected, text)
    assert format_moment(expected) == text


@pytest.mark.parametrize(
    "text",
    ["2024-01-01T10+00:00.000Z", "2024-01-01T10:00:60.000Z", "2024-02-30T10:00:00.000Z", "2024-01-01T10:00:00.1²3Z"],
)
def test_what_only_looks_like_the_wire_form_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None
    assert read_moment(text) == (None, "")
