"""The closed lists: steps and reasons, errors, events, headers, streams."""

from __future__ import annotations

import re
from collections import Counter

import msgspec
import pytest

from headwater.eventlog.streams import STREAMS
from headwater.spec import errors, event, outcome
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable
from headwater.spec.outcome import REASONS, Step


def test_every_reason_has_a_sentence() -> None:
    for step, reasons in REASONS.items():
        assert reasons, f"{step} has no reasons"
        for reason, sentence in reasons.items():
            assert sentence.endswith("."), f"{reason} has no sentence"


AT_TWO_STEPS = {"UNKNOWN_INTEGRATION", "REPLAY"}
"""Reasons that may end an event early or late: before its first attempt, or after it was parked; and what marks a
replayed one where it comes and while it waits.
"""


def test_no_reason_means_two_things() -> None:
    seen = Counter(reason for reasons in REASONS.values() for reason in reasons)
    assert {reason for reason, times in seen.items() if times > 1} == AT_TWO_STEPS


def test_steps_that_succeed_have_no_reasons() -> None:
    assert set(Step) - set(REASONS) == {Step.RECEIVED, Step.PROCESSED, Step.DELIVERED}
    assert set(REASONS[Step.MATCHED]) == {"REPLAY"}


def test_reasons_of_the_source_are_small_and_those_of_a_destination_are_capital() -> None:
    for step, reasons in REASONS.items():
        source = step in {Step.FAILED_ON_INGEST, Step.DUPLICATE, Step.FILTERED_AT_SOURCE}
        for reason in reasons:
            assert re.fullmatch(r"[a-z_]+" if source else r"[A-Z_]+", reason), reason


def test_the_books_that_the_docstring_balances_are_made_of_steps() -> None:
    terms = re.findall(r"^ {4}(\w+) += (.+)$", outcome.__doc__ or "", re.MULTILINE)
    words = [word for whole, parts in terms for word in (whole, *parts.split(" + "))]
    assert sorted(words) == sorted(Step)


def test_the_tree_of_errors_is_drawn_as_it_grows() -> None:
    drawn = re.findall(r"[├└]─ (\w+)", errors.__doc__ or "")
    assert drawn == [each.__name__ for each in HeadwaterError.__subclasses__() if each.__module__ == errors.__name__]


def test_errors_say_who_must_act() -> None:
    refusal = SenderError("Give a name.", code="no_name", status=422, field="name")
    assert (str(refusal), refusal.code, refusal.status, refusal.field) == ("Give a name.", "no_name", 422, "name")
    assert Unavailable("Full.", retry_after=3.0).retry_after == 3.0


def test_an_event_is_one_of_six() -> None:
    assert {"identify", "track", "page", "screen", "group", "alias"} == event.EVENT_TYPES


@pytest.mark.parametrize(
    ("header", "decode"),
    [
        (event.ProcessedHeader("s", "track", "Seen", "m", "u", "", 7, "p", ("d1",), ("w1",)), event.decode_processed),
        (event.CollectedHeader("batch", "s", "key", 7, True, "8.8.8.8", "curl"), event.decode_collected),
    ],
    ids=["processed", "collected"],
)
def test_a_header_is_read_as_it_was_written(header: object, decode: object) -> None:
    assert decode(event.encode_header(header)) == header  # type: ignore[operator]


def test_a_header_of_an_older_version_is_still_read() -> None:
    short = msgspec.msgpack.encode(["s", "track", "Seen", "m", "u", "", 7])
    assert event.decode_processed(short).destinations == ()


def test_an_outcome_batch_is_read_as_it_was_written() -> None:
    batch = outcome.OutcomeBatch(
        "pipeline",
        0,
        1,
        2,
        3,
        [outcome.Count("s", "", 5, Step.PROCESSED, "", 2)],
        [outcome.SetAside(1, Step.FAILED_ON_INGEST, "bad_request", payload=b"x")],
        [outcome.AttemptNote("d", [1, 2], 3, 4, Step.DELIVERED)],
    )
    assert outcome.decode_outcomes(outcome.encode_outcomes(batch)) == batch


def test_every_stream_says_what_it_holds() -> None:
    for name, stream in STREAMS.items():
        assert stream.name == name
        assert stream.holds
        assert stream.key
