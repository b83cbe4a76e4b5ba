"""Moments and spans of time as requests name them."""

from __future__ import annotations

from headwater.manage.problems import invalid
from headwater.spec.timestamps import parse_moment


def moment(field: str, text: str | None, otherwise: int) -> int:
    """The moment that a field names, in milliseconds since 1970. Raises Refused when it is not one."""
    if text is None or text == "":
        return otherwise
    found = parse_moment(text)
    if found is None:
        raise invalid(field, f'"{field}" is not a moment such as 2026-01-31T12:00:00Z')
    return found
