"""What can go wrong, by who must act.

    HeadwaterError
    ├─ SenderError     the sender must change the request
    ├─ SetupError      the owner must change a setting
    └─ Unavailable     time will heal it

Anything else that is raised is a bug and ends the role that raised it. What becomes of an *event* is never an exception
but an outcome (`spec/outcome.py`).
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """The root. Its text is a sentence for a person, and says what to do."""


class SenderError(HeadwaterError):
    """The request cannot be accepted as it is; sending it again unchanged will not help.

    `status` is the HTTP status to answer, `code` a stable word for programs, `field` the part that is wrong.
    """

    def __init__(self, message: str, *, code: str = "bad_request", status: int = 400, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.field = field


class SetupError(HeadwaterError):
    """A setting is missing or wrong; the owner must change it. It is shown where it belongs and is not retried."""


class Unavailable(HeadwaterError):
    """Something is away or full for now. `retry_after` is in seconds; the same request may succeed then."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
