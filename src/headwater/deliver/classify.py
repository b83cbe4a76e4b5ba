"""What an answer means for a delivery: the one place that knows (contract: connections 6.4).

2xx                               delivered
408, 423, 429, 5xx but 501        pending: tried again, at the time that Retry-After names if it does
401, 403                          the credentials are refused: a destination that has credentials is paused and its
                                  delivery stays pending; any other failed
every other status                failed for good
no answer                         pending (unreachable, broken off, too slow), unless the request cannot be made
                                  at all: a private address or an unusable setting
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from headwater.spec.destination import NoAnswer, Response
from headwater.spec.outcome import Step
from headwater.store.backlogs import REFUSED

_RETRIED = frozenset({408, 423, 429})
_NAMED = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "UNAUTHORIZED", 404: "NOT_FOUND"}
_SHOWN_CHARS = 200
_FINAL = frozenset({"PRIVATE_ADDRESS", "INVALID_SETTINGS", "MESSAGE_REJECTED", "INTERNAL"})


class Verdict(msgspec.Struct, frozen=True):
    """What became of an attempt.

    `step` is delivered, pending or failed_delivery. `retry_after` is in seconds, when the destination named a time.
    `ill` says that the destination does not work, `refused` that it refuses the owner's credentials. `final` is the
    reason for which what is pending has failed if it was not the first attempt. `items` are those of the batch that
    fared otherwise than the whole, by index.
    """

    step: Step
    reason: str = ""
    detail: str = ""
    status: int = 0
    retry_after: float | None = None
    ill: bool = False
    refused: bool = False
    final: str = ""
    items: dict[int, Verdict] = {}

    @property
    def refuses(self) -> bool:
        """Are the owner's credentials refused, be it for one item only?"""
        return self.refused or any(own.refused for own in self.items.values())

    def of(self, index: int) -> Verdict:
        """What became of one item of the batch."""
        return self.items.get(index, self)


def retried(status: int) -> bool:
    """Does this status mean that the same request may succeed later?"""
    return status in _RETRIED or (status >= 500 and status != 501)


def classify(response: Response, *, credentials: bool, now: float) -> Verdict:
    """Judge an answer. `credentials`: the destination has credentials; `now` is in seconds since 1970."""
    status = response.status
    if 200 <= status < 300:
        return Verdict(Step.DELIVERED, status=status)
    detail = _shown(response)
    if retried(status):
        later = retry_after(response.headers, now)
        return Verdict(Step.PENDING, "RETRY", detail, status, retry_after=later, ill=True)
    if status in (401, 403) and credentials:
        detail = f"{REFUSED} {detail}"
        return Verdict(Step.PENDING, "PAUSED", detail, status, refused=True)
    return Verdict(Step.FAILED_DELIVERY, _NAMED.get(status, "REJECTED"), detail, status)


def classify_silence(error: NoAnswer) -> Verdict:
    """Judge a request without an answer."""
    if error.reason == "UNAUTHORIZED":
        return Verdict(Step.PENDING, "PAUSED", f"{REFUSED} {error.detail}", refused=True)
    if error.reason in _FINAL:
        return Verdict(Step.FAILED_DELIVERY, error.reason, error.detail)
    return Verdict(Step.PENDING, error.reason, error.detail, ill=True)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that Retry-After asks for, given as a number or as an HTTP date; None when it does not."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    aware: datetime = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(aware.timestamp() - now, 0.0)


def _shown(response: Response) -> str:
    said = " ".join(response.body[: 4 * _SHOWN_CHARS].decode("utf-8", "replace").split())[:_SHOWN_CHARS]
    return f"{response.status}: {said}" if said else f"{response.status}"
