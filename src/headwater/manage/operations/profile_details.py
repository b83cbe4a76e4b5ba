"""What one profile is known by: its traits with their past values, and its events. Headwater's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.finding import states_of
from headwater.manage.knowing import TraitShape, show_traits
from headwater.manage.operation import operation
from headwater.manage.operations.profiles import GetProfile, Named
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import missing
from headwater.manage.profile_api.asked import Span
from headwater.profiles.history import Entry
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import decode
from headwater.store import components

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_DAY = 86_400_000


class ListProfileTraits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which traits of a profile."""

    space_id: SpaceId
    profile_id: Named
    search: Annotated[str, Meta(max_length=200, description="What the name of a trait holds.")] = ""
    offset: Annotated[int, Meta(ge=0, description="How many to pass over, by name.")] = 0
    count: Annotated[int, Meta(ge=1, le=200, description="How many at most.")] = 50


class ListProfileTraitsAnswer(Shape, frozen=True, kw_only=True):
    """Traits by name, and how many there are; with up to ten values of each."""

    traits: list[TraitShape]
    total: int


class GetProfileEventCountsAnswer(Shape, frozen=True, kw_only=True):
    """How many events a profile has, by name (up to 1,000 names, most first) and by source.

    `events` counts all calls; those without a name, such as identify, are in no name.
    """

    events: int
    names: dict[str, int]
    sources: dict[str, int]


class ListProfileEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events of a profile."""

    space_id: SpaceId
    profile_id: Named
    name: Annotated[str, Meta(max_length=1_000, description="Only events of this name.")] = ""
    count: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 20
    next: Annotated[str, Meta(max_length=200, description="Where to go on: `next` of the page before.")] = ""


class ProfileEvent(Shape, frozen=True, kw_only=True):
    """An event of a profile; `name` is that by which it is counted, also for a page or screen."""

    message_id: str
    type: str
    name: str
    at: str
    received_at: str
    source_id: str
    properties: Any


class ListProfileEventsAnswer(Shape, frozen=True, kw_only=True):
    """Track, page and screen calls, newest first, as far back as `days`; `next` is empty at the end."""

    events: list[ProfileEvent]
    days: int
    next: str


@operation("GET", "/headwater/spaces/{spaceId}/profiles/{profileId}/traits", scope="profiles:read", tag="Identity")
async def list_profile_traits(desk: Desk, request: ListProfileTraits) -> ListProfileTraitsAnswer:
    """List the traits of a profile with the values that they had, and the event that wrote each."""
    space = find(await desk.workspace(), request.space_id)

    def read(connection: Connection) -> list[TraitShape]:
        id = _found(connection, space.id, request.profile_id)
        state = states_of(connection, [id]).get(id)
        return show_traits(state) if state is not None else []

    wanted = request.search.casefold()
    found = [one for one in await desk.store.read(read) if wanted in one.name.casefold()]
    return ListProfileTraitsAnswer(traits=found[request.offset : request.offset + request.count], total=len(found))


@operation(
    "GET", "/headwater/spaces/{spaceId}/profiles/{profileId}/event-counts", scope="profiles:read", tag="Identity"
)
async def get_profile_event_counts(desk: Desk, request: GetProfile) -> GetProfileEventCountsAnswer:
    """Count the events of a profile by name and by source, as far as they are folded."""
    space = find(await desk.workspace(), request.space_id)

    def read(connection: Connection) -> GetProfileEventCountsAnswer:
        id = _found(connection, space.id, request.profile_id)
        state = states_of(connection, [id]).get(id)
        if state is None:
            return GetProfileEventCountsAnswer(events=0, names={}, sources={})
        return GetProfileEventCountsAnswer(
            events=state.events, names=_most_first(state.names), sources=_most_first(state.sources)
        )

    return await desk.store.read(read)


@operation("GET", "/headwater/spaces/{spaceId}/profiles/{profileId}/events", scope="profiles:read", tag="Identity")
async def list_profile_events(desk: Desk, request: ListProfileEvents) -> ListProfileEventsAnswer:
    """List the events of a profile, newest first: track, page and screen calls of the days that are kept."""
    space = find(await desk.workspace(), request.space_id)
    days = desk.settings.profiles.history_days

    def members(connection: Connection) -> list[str]:
        return sorted(components.component(connection, _found(connection, space.id, request.profile_id)).profiles)

    span = Span(
        since=desk.now - days * _DAY,
        until=desk.now,
        include=frozenset((request.name,)) if request.name else None,
        exclude=frozenset(),
        newest_first=True,
        next=request.next,
    )
    found, following = await desk.histories.page(await desk.store.read(members), span, request.count)
    events = [_show(entry, body) for entry, body in found]
    return ListProfileEventsAnswer(events=events, days=days, next=following)


def _found(connection: Connection, space_id: str, name: str) -> str:
    found = components.canonical(connection, space_id, name)
    if found is None:
        raise missing("profile")
    return found


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _show(entry: Entry, body: bytes) -> ProfileEvent:
    event = cast("dict[str, Any]", decode(body))
    return ProfileEvent(
        message_id=str(event.get("messageId") or ""),
        type=str(event.get("type") or ""),
        name=entry.name,
        at=format_moment(entry.at),
        received_at=format_moment(entry.received_at),
        source_id=entry.source_id,
        properties=event.get("properties") or {},
    )
