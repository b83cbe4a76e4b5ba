"""What is wrong with a request, in the form in which it is answered (contract: public-api 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.spec.errors import HeadwaterError, SenderError, SetupError, Unavailable

_WORDS = {
    400: "bad-request",
    401: "unauthorized",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "payload-too-large",
    422: "input-validation",
    429: "RequestError",
    503: "unavailable",
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of `errors`. `field` is the dotted path of the input that is wrong."""

    type: str
    message: str
    field: str | None = None
    data: dict[str, Any] | None = None


class Refused(SenderError):
    """A request that cannot be answered, with all that is wrong with it, and when to ask again (s) if that helps."""

    def __init__(self, problems: Sequence[Problem], *, status: int = 422, retry_after: int = 0) -> None:
        super().__init__(problems[0].message, code=problems[0].type, status=status, field=problems[0].field)
        self.problems = tuple(problems)
        self.retry_after = retry_after


def invalid(field: str, message: str) -> Refused:
    """An input that is there but cannot be used."""
    return Refused([Problem("input-validation", message, field)])


def missing(noun: str) -> SenderError:
    """A resource that does not exist."""
    return SenderError(f"There is no such {noun}.", code="not_found", status=404)


def word(status: int) -> str:
    """The `type` of an error that has only a status."""
    return _WORDS.get(status, "internal" if status >= 500 else "bad-request")


def explain(error: BaseException) -> tuple[int, tuple[Problem, ...], dict[str, str]]:
    """The status, problems and headers that answer an error: the one place that maps families to HTTP.

    Anything but the house's own errors is a bug; its text stays inside.
    """
    match error:
        case Refused():
            wait = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return error.status, error.problems, wait
        case SenderError():
            return error.status, (Problem(word(error.status), str(error), error.field),), {}
        case SetupError():
            return 422, (Problem("setup", str(error)),), {}
        case Unavailable():
            wait = {"Retry-After": str(max(1, round(error.retry_after)))}
            return 503, (Problem(word(503), str(error)),), wait
        case HeadwaterError():
            return 400, (Problem(word(400), str(error)),), {}
        case _:
            return 500, (Problem(word(500), "Headwater could not answer; the error is in its log."),), {}
