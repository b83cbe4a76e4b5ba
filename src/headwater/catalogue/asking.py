"""How a question to a destination fails."""

from __future__ import annotations

from headwater.catalogue import frames
from headwater.catalogue.secrets import masked
from headwater.spec.errors import SetupError, Unavailable

_SHOWN_CHARS = 500


class Refused(SetupError):
    """The destination, or the tool behind it, refuses what was asked, in its words.

    `kind` is `auth` when it refuses the credentials, else `permanent`; `status` and `code` are as in `Ended`.
    """

    def __init__(self, message: str, *, kind: str = "permanent", status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.code = code


def said(judged: frames.Judged) -> str:
    """What the worker says of a failure, in one text: its message, and what the vendor answered."""
    body = " ".join(judged.body.split())
    parts = [part for part in (judged.message, body if body not in judged.message else "") if part]
    return ": ".join(parts)[:_SHOWN_CHARS]


def refusal(judged: frames.Judged, private: tuple[str, ...] = ()) -> Refused | Unavailable:
    """A failed question as the exception to raise; `private` are secrets that must not show."""
    text = masked(said(judged), private) or "The destination refused."
    if judged.cls == "retry":
        return Unavailable(text, retry_after=judged.retry_after or 1.0)
    return Refused(text, kind=judged.cls, status=judged.status, code=judged.code)
