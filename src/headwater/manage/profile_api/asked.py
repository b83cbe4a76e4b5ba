"""What a request asks for: its path and its parameters (contract: profiles-governance 2.2, 2.3). Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.space import Collection
from headwater.spec.timestamps import parse_moment

LIMITS: Final = {
    "traits": (10, 200),
    "external_ids": (25, 100),
    "metadata": (1, 1),
    "links": (20, 20),
    "events": (10, 100),
}
"""For each thing that can be asked for: how many are shown unless told otherwise, and at most."""

_COLLECTIONS: Final[dict[str, Collection]] = {"users": "users", "accounts": "accounts"}


class Asked(msgspec.Struct, frozen=True):
    """Which profile, by its id or an identifier `type:value`, and what of it."""

    space: str
    collection: Collection
    name: str
    what: str


class Params(msgspec.Struct, frozen=True):
    """How it is to be shown. `include` None is everything; `next` is empty for the first page."""

    limit: int
    include: frozenset[str] | None = None
    kind: str = ""
    verbose: bool = False
    next: str = ""


class Span(msgspec.Struct, frozen=True):
    """Which events: from `since` to `until`, both included (ms), and of which names."""

    since: int
    until: int
    include: frozenset[str] | None
    exclude: frozenset[str]
    newest_first: bool
    next: str


def refused(message: str, code: str = "invalid_request_error", status: int = 400) -> SenderError:
    """A request that cannot be answered, in the words of 2.6."""
    return SenderError(message, code=code, status=status)


def read_space(raw_path: str) -> str:
    """The space that a path names; may be empty."""
    return unquote((raw_path.split("/", 4) + [""] * 4)[3])


def read_path(raw_path: str) -> Asked:
    """Read an undecoded path. Raises SenderError 404 for one that leads nowhere, 400 for an unknown collection.

    Each part is decoded once. A profile's name may hold slashes that the sender did not encode.
    """
    parts = raw_path.split("/")
    if len(parts) < 9 or parts[4] != "collections" or parts[6] != "profiles" or parts[-1] not in LIMITS:
        raise refused("There is nothing at this path.", "not_found", 404)
    collection = _COLLECTIONS.get(unquote(parts[5]))
    if collection is None:
        raise refused("The collection must be users or accounts.", "validation_error")
    return Asked(unquote(parts[3]), collection, unquote("/".join(parts[7:-1])), parts[-1])


def read_params(what: str, query: str) -> Params:
    """Read the query of a request; parameters that are not known are passed over. Raises SenderError 400."""
    given = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    kind = given.get("class", "") if what == "traits" else ""
    if kind not in ("", "audience", "computed_trait"):
        raise refused("class must be audience or computed_trait.")
    if given.get("verbose", "false") not in ("true", "false"):
        raise refused("verbose must be true or false.")
    include = given.get("include")
    return Params(
        _limit(what, given.get("limit")),
        None if include is None else _names(include),
        kind,
        given.get("verbose") == "true",
        given.get("next", ""),
    )


def read_span(query: str, now: int, days: int) -> Span:
    """Read which events are asked for; none is older than so many days. Raises SenderError 400."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    oldest = now - days * 86_400_000
    moments: list[int] = []
    for name, usual in (("start", oldest), ("end", now)):
        moment = parse_moment(given[name]) if name in given else usual
        if moment is None:
            raise refused(f"{name} must be a moment in ISO 8601, such as 2024-03-01T10:00:00Z.")
        moments.append(moment)
    if given.get("sort", "desc") not in ("asc", "desc"):
        raise refused("sort must be asc or desc.")
    include = given.get("include")
    return Span(
        max(oldest, moments[0]),
        moments[1],
        None if include is None else _names(include),
        _names(given.get("exclude", "")),
        given.get("sort") != "asc",
        given.get("next", ""),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if name)


def read_token(authorization: str, code: str = "authentication_error") -> str:
    """The token of a Basic authorization, which is its user name. Raises SenderError 401 of this code."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        user = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0] if encoded else ""
    except (binascii.Error, ValueError):
        user = ""
    if scheme.lower() != "basic" or not user:
        raise refused("A token of the space is needed, as the user name of Basic authentication.", code, 401)
    return user


def _limit(what: str, text: str | None) -> int:
    usual, most = LIMITS[what]
    if text is None or what == "metadata":
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise refused(f"limit must be a whole number from 1 to {most}.")
    return int(text)
