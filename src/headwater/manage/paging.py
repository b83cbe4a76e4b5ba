"""Lists a page at a time: the cursor is the base64 of an offset (contract: public-api 5)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from headwater.manage.problems import invalid

T = TypeVar("T")


class Pagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page is wanted."""

    count: Annotated[int, Meta(ge=1, le=1000, description="Entries a page holds at most.")] = 200
    cursor: Annotated[str | None, Meta(description="Where the page starts: `next` or `previous` of another.")] = None

    def offset(self) -> int:
        """How many entries stand before the page. Raises Refused for a cursor that no answer gave."""
        if not self.cursor:
            return 0
        try:
            return int(base64.b64decode(self.cursor, validate=True).decode("ascii")) % 2**62
        except (binascii.Error, ValueError, UnicodeDecodeError):
            raise invalid("pagination.cursor", '"pagination.cursor" is not a cursor of this list') from None


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where a page stands; `next` is absent on the last page and `previous` on the first."""

    current: str
    next: str | None = None
    previous: str | None = None
    total_entries: int | None = None


def page_of(pagination: Pagination, total: int) -> Page:
    """The page's place in a list of so many entries."""
    start = pagination.offset()
    after, before = start + pagination.count, max(0, start - pagination.count)
    return Page(
        current=_cursor(start),
        next=_cursor(after) if after < total else None,
        previous=_cursor(before) if start > 0 else None,
        total_entries=total,
    )


def page(entries: Sequence[T], pagination: Pagination) -> tuple[list[T], Page]:
    """The entries of one page of a list that is at hand as a whole."""
    start = pagination.offset()
    return list(entries[start : start + pagination.count]), page_of(pagination, len(entries))


def _cursor(offset: int) -> str:
    return base64.b64encode(str(offset).encode()).decode()
