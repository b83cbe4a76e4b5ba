"""A space's filters: which events stay out of it before anybody is looked for (contract: profiles-governance 4.7)."""

from __future__ import annotations

from collections.abc import Iterable

from headwater.spec.fql import FqlError, Holds, compile_query, parse
from headwater.spec.space import SpaceFilter


def compile_filters(filters: Iterable[SpaceFilter]) -> Holds | None:
    """The function from an event's body to whether it stays out; None if no filter is in force.

    A filter that cannot be read keeps every event out, as one that is unclear must let nothing through (3.14).
    """
    found = [_compile(one) for one in filters if one.enabled and one.drop]
    if len(found) < 2:
        return found[0] if found else None
    return lambda body: any(holds(body) for holds in found)


def _compile(one: SpaceFilter) -> Holds:
    try:
        return compile_query(parse(one.condition))
    except FqlError:
        return lambda body: True
