"""Companies above and below one another, and what they come to together. Headwater's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.finding import states_of
from headwater.manage.operation import operation
from headwater.manage.operations.profiles import Named
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.people import ProfileSummary, summarise
from headwater.manage.problems import invalid, missing
from headwater.spec.timestamps import format_moment
from headwater.store import accounts, components

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_MOST = 1_000
_PAGE = 100


class GetAccountHierarchy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A company of a space."""

    space_id: SpaceId
    profile_id: Named
    count: Annotated[int, Meta(ge=1, le=200, description="How many children at most.")] = 50


class RollUp(Shape, frozen=True, kw_only=True):
    """What a company and all below it come to. `cut` if there are more than are added up (1,000 companies).

    `users` are the people linked to any of them, each counted once; `events` those that named one of them.
    """

    accounts: int
    users: int
    events: int
    first_seen_at: str | None
    last_seen_at: str | None
    cut: bool


class GetAccountHierarchyAnswer(Shape, frozen=True, kw_only=True):
    """The companies above a company, the nearest first, those right below it, and what all below come to with it.

    Traits are each company's own: none is taken over from another one.
    """

    id: str
    ancestors: list[ProfileSummary]
    children: list[ProfileSummary]
    children_total: int
    roll_up: RollUp


@operation("GET", "/headwater/spaces/{spaceId}/profiles/{profileId}/hierarchy", scope="profiles:read", tag="Identity")
async def get_account_hierarchy(desk: Desk, request: GetAccountHierarchy) -> GetAccountHierarchyAnswer:
    """Show which companies are above and below a company, and how many people and events they come to."""
    space = find(await desk.workspace(), request.space_id)

    def read(connection: Connection) -> GetAccountHierarchyAnswer:
        id = components.canonical(connection, space.id, request.profile_id)
        if id is None:
            raise missing("profile")
        if components.component(connection, id).collection != "accounts":
            raise invalid("profileId", "Only companies are above and below one another")
        children = accounts.children(connection, id)
        return GetAccountHierarchyAnswer(
            id=id,
            ancestors=_summaries(connection, accounts.ancestors(connection, [id])[id]),
            children=_summaries(connection, children[: request.count]),
            children_total=len(children),
            roll_up=_roll_up(connection, id),
        )

    return await desk.store.read(read)


def _summaries(connection: Connection, ids: Sequence[str]) -> list[ProfileSummary]:
    known = states_of(connection, ids)
    return [summarise(components.component(connection, id), known.get(id)) for id in ids]


def _roll_up(connection: Connection, id: str) -> RollUp:
    below, users = accounts.descendants(connection, id, limit=_MOST), accounts.users_of(connection, id)
    whole = [id, *below]
    events, moments = 0, list[int]()
    for start in range(0, len(whole), _PAGE):
        for state in states_of(connection, whole[start : start + _PAGE]).values():
            events += state.events
            moments += (state.first.at, state.last.at)
    return RollUp(
        accounts=len(whole),
        users=len(users),
        events=events,
        first_seen_at=format_moment(min(moments)) if moments else None,
        last_seen_at=format_moment(max(moments)) if moments else None,
        cut=below.cut or users.cut,
    )
