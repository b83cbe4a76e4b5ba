"""What answers mean."""

import pytest

from headwater.deliver.classify import classify, classify_silence, retry_after
from headwater.spec.destination import NoAnswer, Response
from headwater.spec.outcome import REASONS

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("status", "step", "reason"),
    [
        (200, "delivered", ""),
        (201, "delivered", ""),
        (299, "delivered", ""),
        (301, "failed_delivery", "REJECTED"),
        (304, "failed_delivery", "REJECTED"),
        (307, "failed_delivery", "REJECTED"),
        (400, "failed_delivery", "BAD_REQUEST"),
        (401, "failed_delivery", "UNAUTHORIZED"),
        (403, "failed_delivery", "UNAUTHORIZED"),
        (404, "failed_delivery", "NOT_FOUND"),
        (408, "pending", "RETRY"),
        (410, "failed_delivery", "REJECTED"),
        (423, "pending", "RETRY"),
        (429, "pending", "RETRY"),
        (500, "pending", "RETRY"),
        (501, "failed_delivery", "REJECTED"),
        (502, "pending", "RETRY"),
        (599, "pending", "RETRY"),
    ],
)
def test_a_status_has_one_meaning(status: int, step: str, reason: str) -> None:
    verdict = classify(Response(status), credentials=False, now=NOW)
    assert (verdict.step, verdict.reason, verdict.status) == (step, reason, status)
    assert verdict.ill == (step == "pending")
    assert not reason or reason in REASONS[verdict.step]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_pause_a_destination_that_has_some(status: int) -> None:
    verdict = classify(Response(status), credentials=True, now=NOW)
    assert (verdict.step, verdict.reason, verdict.refused, verdict.ill) == ("pending", "PAUSED", True, False)


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("UNREACHABLE", "pending"),
        ("TIMEOUT", "pending"),
        ("PRIVATE_ADDRESS", "failed_delivery"),
        ("INVALID_SETTINGS", "failed_delivery"),
        ("MESSAGE_REJECTED", "failed_delivery"),
        ("INTERNAL", "failed_delivery"),
    ],
)
def test_no_answer_is_retried_unless_the_request_cannot_be_made(reason: str, step: str) -> None:
    verdict = classify_silence(NoAnswer(reason, "why"))
    assert (verdict.step, verdict.reason, verdict.detail) == (step, reason, "why")
    assert verdict.reason in REASONS[verdict.step]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("99999999999999999999", 999_999_999.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_what_the_destination_said_is_shown_on_one_line_and_short() -> None:
    verdict = classify(Response(400, {}, b"no\n  such \xff field " + b"x" * 1000), credentials=False, now=NOW)
    assert verdict.detail.startswith("400: no such \ufffd field xxx")
    assert len(verdict.detail) <= 205
