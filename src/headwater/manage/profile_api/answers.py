"""What is answered, in the shapes of Segment (contract: profiles-governance 2.4, 2.5). Pure.

Pages go on at the first thing that was not shown, so that what is changed in between is neither shown twice nor lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from headwater.manage.profile_api.asked import Params, refused
from headwater.profiles.computed import Worked, counts
from headwater.profiles.known import NULL, State, Write
from headwater.spec.graph import Component, Link, make_id
from headwater.spec.timestamps import format_moment

Answer = dict[str, Any]
_OTHER: Final = {"users": "accounts", "accounts": "users"}
_CLASSES: Final = {"audience": "audience", "trait": "computed_trait"}


class Computed(msgspec.Struct, frozen=True):
    """What is worked out of a profile, and the source that tells of it."""

    values: list[Worked]
    source_id: str


NOTHING: Final = Computed([], "")
"""Nothing is worked out."""


class _Trait(msgspec.Struct, frozen=True, gc=False):
    value: Any
    source_id: str
    at: int
    kind: str = ""


def show_traits(state: State | None, computed: Computed, params: Params, url: str) -> Answer:
    """A page of traits, by their names: those that were written, and those that are worked out."""
    written = state.traits if state is not None else {}
    worked = _worked(written, computed)
    names = {name for name, values in written.items() if values[0].value != NULL} if not params.kind else set()
    names |= {name for name, one in worked.items() if params.kind in ("", one.kind)}
    if params.include is not None:
        names &= params.include
    shown, following = _page(sorted(names), params)
    values: dict[str, Any] = {}
    for name in shown:
        one = worked.get(name) or _written(written[name][0])
        values[name] = (
            {"value": one.value, "source_id": one.source_id, "updated_at": format_moment(one.at)}
            if params.verbose
            else one.value
        )
    return {"traits": values, "cursor": {**cursor(url, following), "limit": params.limit}}


def _written(one: Write) -> _Trait:
    return _Trait(msgspec.Raw(one.value), one.mark.source_id, one.mark.at)


def _worked(written: Mapping[str, Sequence[Write]], computed: Computed) -> dict[str, _Trait]:
    """What is worked out, by name. A computation that was removed gives way to what was written later (3.1)."""
    found: dict[str, _Trait] = {}
    for one in computed.values:
        kind = _CLASSES[one.computation.kind] if one.computation else ""
        before = written.get(one.key)
        if counts(one, before[0] if before else None):
            found[one.key] = _Trait(one.value, computed.source_id, one.at, kind)
    return found


def show_external_ids(component: Component, space_id: str, params: Params, url: str) -> Answer:
    """A page of identifiers, oldest first."""
    if params.next and not params.next.startswith("map_"):
        raise refused("next is not a cursor of this list.")
    keyed: dict[str, Link] = {}
    for link in component.links:
        if params.include is None or link.identifier.partition(":")[0] in params.include:
            keyed[make_id("map_", link.cause.at, space_id, link.identifier)] = link
    shown, following = _page(sorted(keyed), params)
    data = [show_link(keyed[key], component.collection, with_message=True) for key in shown]
    return {"data": data, "cursor": cursor(url, following)}


def show_metadata(component: Component, state: State | None) -> Answer:
    """When and by whom the profile was made and last told of. Until it is folded, its identifiers tell."""
    created = min(component.profiles.values())
    causes = [link.cause for link in component.links]
    first = causes[0] if causes else None
    last = max(causes, key=lambda cause: cause.at) if causes else None
    found: Answer = {
        "created_at": format_moment(created),
        "updated_at": format_moment(last.at if last else created),
        "expires_at": None,
        "first_message_id": first.message_id if first else "",
        "first_source_id": first.source_id if first else "",
        "last_message_id": last.message_id if last else "",
        "last_source_id": last.source_id if last else "",
    }
    if state is not None:
        found |= {
            "updated_at": format_moment(state.last.received_at),
            "first_message_id": state.first.message_id,
            "first_source_id": state.first.source_id,
            "last_message_id": state.last.message_id,
            "last_source_id": state.last.source_id,
        }
    return {"metadata": found}


def show_links(collection: str, linked: Iterable[Component]) -> Answer:
    """The companies of a person, or the people of a company."""
    other = _OTHER[collection]
    return {
        "data": [
            {"to_collection": other, "external_ids": [show_link(link, other) for link in one.links]} for one in linked
        ]
    }


def show_link(link: Link, collection: str, *, with_message: bool = False) -> Answer:
    """One identifier."""
    kind, _, value = link.identifier.partition(":")
    shown = {
        "source_id": link.cause.source_id,
        "collection": collection,
        "id": value,
        "type": kind,
        "created_at": format_moment(link.cause.at),
        "encoding": "none",
    }
    return shown | {"first_message_id": link.cause.message_id} if with_message else shown


def _page(ordered: Sequence[str], params: Params) -> tuple[Sequence[str], str]:
    """The keys from the cursor on, and the cursor of the page that follows; empty when there is none."""
    rest = [one for one in ordered if one >= params.next]
    return rest[: params.limit], rest[params.limit] if len(rest) > params.limit else ""


def cursor(url: str, following: str) -> Answer:
    """Where a page goes on, if it does."""
    return {"url": url, "has_more": bool(following), "next": following}
