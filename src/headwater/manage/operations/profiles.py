"""Profiles: who is known, by which identifiers, why two are one, and taking that back. Headwater's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from headwater.eventlog.streams import PROCESSED
from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.finding import search_traits, states_of
from headwater.manage.knowing import email_of, name_of
from headwater.manage.memberships import Membership, show_memberships, worked_out
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import KIND, SpaceId, find
from headwater.manage.people import (
    CauseShape,
    IdentifierShape,
    MergeShape,
    ProfileSummary,
    StepShape,
    ViolationShape,
    show_cause,
    show_link,
    show_merge,
    show_step,
    show_violation,
    summarise,
)
from headwater.manage.problems import invalid, missing
from headwater.profiles.identity.explain import explain
from headwater.profiles.identity.unmerge import divide, merge_between, parted
from headwater.profiles.known import decode, traits, unite
from headwater.spec.errors import SenderError
from headwater.spec.graph import Component, Merge
from headwater.spec.space import Space
from headwater.spec.timestamps import format_moment
from headwater.store import audit, components
from headwater.store.graph import pairs_apart
from headwater.store.known import states

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Named = Annotated[str, Meta(min_length=1, max_length=700, description="A profile's id, or an identifier type:value.")]


class ListProfiles(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which profiles; without a search, the newest, page by page."""

    space_id: SpaceId
    search: Annotated[
        str, Meta(max_length=600, description="What an identifier begins with: a value or type:value.")
    ] = ""
    exact: Annotated[bool, Meta(description="Whether the identifier must be just that.")] = False
    traits: Annotated[bool, Meta(description="Whether to search what the traits of the newest profiles hold, too.")] = (
        False
    )
    collection: Annotated[Literal["users", "accounts"], Meta(description="People or companies.")] = "users"
    count: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 20
    before: Annotated[str, Meta(max_length=100, description="Of the newest, those before this id: `next`.")] = ""


class ListProfilesAnswer(Shape, frozen=True, kw_only=True):
    """Profiles as they are now, merges followed: those found by an identifier before those found by a trait.

    `searched` is the number of profiles whose traits were looked through: at most the newest 2,000, or as many as 32 MB
    tell of, since there is no index of traits. `next` is where the newest go on; empty at the end and for a search.
    """

    profiles: list[ProfileSummary]
    searched: int
    next: str


class GetProfile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A profile of a space."""

    space_id: SpaceId
    profile_id: Named


class Related(Shape, frozen=True, kw_only=True):
    """A company that a person belongs to, or a person of a company, and the group call that said so."""

    profile_id: str
    cause: CauseShape


class GetProfileAnswer(Shape, frozen=True, kw_only=True):
    """A profile with everything that merges brought to it, and the identifiers that were removed from it.

    `profiles` are the ids that are one with it. `lastChangedAt` is when it last got an identifier or a merge,
    `lastSeenAt` when its last event happened. `name`, `email` and `events` are known once its events are folded.
    `memberships` are the values of audiences and computed traits.
    """

    id: str
    collection: str
    profiles: list[str]
    identifiers: list[IdentifierShape]
    removed: list[IdentifierShape]
    merges: list[MergeShape]
    groups: list[Related]
    first_seen_at: str
    last_changed_at: str
    last_seen_at: str | None
    name: str
    email: str
    events: int
    memberships: list[Membership]


class ExplainProfiles(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two names of which one wants to know why they are one person."""

    space_id: SpaceId
    a: Named
    b: Named


class ExplainProfilesAnswer(Shape, frozen=True, kw_only=True):
    """Whether the two are one, and the steps from the first to the second; `keptApart` if a person told them apart."""

    joined: bool
    kept_apart: bool
    profile_ids: list[str]
    steps: list[StepShape]


class UnmergeProfiles(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The merge to undo: by its id, or as the one that made two names one."""

    space_id: SpaceId
    merge_id: Annotated[str | None, Meta(description="The merge's id.")] = None
    a: Named | None = None
    b: Named | None = None


class UnmergeProfilesAnswer(Shape, frozen=True, kw_only=True):
    """The merge that was undone, and the profiles that it held together."""

    merge: MergeShape
    profiles: list[ProfileSummary]


class SideShape(Shape, frozen=True, kw_only=True):
    """One of the profiles that an undone merge would leave: what becomes its own.

    `profiles` are the ids that are one with it then, `identifiers` and `traits` (by name) all that it takes along.
    """

    profile: ProfileSummary
    profiles: list[str]
    identifiers: list[str]
    traits: list[str]


class PreviewUnmergeAnswer(Shape, frozen=True, kw_only=True):
    """The merge that would be undone, and what each side would be."""

    merge: MergeShape
    sides: list[SideShape]


class ListMergeBlocks(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId
    count: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 100


class ListMergeBlocksAnswer(Shape, frozen=True, kw_only=True):
    """Undone merges whose sides are kept apart, those undone last first, and how many there are in all."""

    merges: list[MergeShape]
    total: int


class RemoveMergeBlock(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A merge that was undone."""

    space_id: SpaceId
    merge_id: Annotated[str, Meta(description="The merge's id.")]


class RemoveMergeBlockAnswer(Shape, frozen=True, kw_only=True):
    """Whether there was something to lift."""

    lifted: bool


class ListIdentityViolations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which violations, newest first."""

    space_id: SpaceId
    kind: Annotated[str, Meta(description="Only of this kind, such as value_limit_exceeded.")] = ""
    before: Annotated[str, Meta(description="Only those before this one, for the next page.")] = ""
    count: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 100


class ListIdentityViolationsAnswer(Shape, frozen=True, kw_only=True):
    """Violations, newest first. Of each space the newest 10,000 are kept."""

    violations: list[ViolationShape]


@operation("GET", "/headwater/spaces/{spaceId}/profiles", scope="profiles:read", tag="Identity")
async def list_profiles(desk: Desk, request: ListProfiles) -> ListProfilesAnswer:
    """Search the profiles of a space by any identifier, or by what their traits hold, or list the newest."""
    space = find(await desk.workspace(), request.space_id)

    def read(connection: Connection) -> ListProfilesAnswer:
        searched, following = 0, ""
        if not request.search:
            found = components.newest(
                connection, space.id, request.collection, request.count + 1, before=request.before
            )
            following = found[request.count - 1] if len(found) > request.count else ""
        else:
            prefixes = _prefixes(space, request.search, request.collection)
            found = components.search(connection, space.id, prefixes, exact=request.exact, limit=request.count)
            if request.traits:
                by_trait, searched = search_traits(connection, space.id, request.collection, request.search)
                found = list(dict.fromkeys([*found, *by_trait]))
        shown = found[: request.count]
        known = states_of(connection, shown)
        profiles = [summarise(components.component(connection, one), known.get(one)) for one in shown]
        return ListProfilesAnswer(profiles=profiles, searched=searched, next=following)

    return await desk.store.read(read)


@operation("GET", "/headwater/spaces/{spaceId}/profiles/{profileId}", scope="profiles:read", tag="Identity")
async def get_profile(desk: Desk, request: GetProfile) -> GetProfileAnswer:
    """Show a profile: its identifiers and merges with their causes, and the companies or people that belong to it."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)

    def read(connection: Connection) -> GetProfileAnswer:
        found = _component(connection, space.id, request.profile_id)
        related = components.groups(connection, found.profiles, of_users=found.collection == "users")
        moments = [*(one.cause.at for one in found.links), *(one.cause.at for one in found.merges)]
        state = states_of(connection, [found.canonical_id]).get(found.canonical_id)
        apart = pairs_apart(connection, found.profiles)
        return GetProfileAnswer(
            id=found.canonical_id,
            collection=found.collection,
            profiles=sorted(found.profiles),
            identifiers=[show_link(one) for one in found.links],
            removed=[show_link(one) for one in found.removed],
            merges=[show_merge(one, kept_apart=_is_apart(one, apart)) for one in found.merges],
            groups=[Related(profile_id=one, cause=show_cause(link.cause)) for one, link in related],
            first_seen_at=format_moment(min(found.profiles.values())),
            last_changed_at=format_moment(max(moments, default=min(found.profiles.values()))),
            last_seen_at=None if state is None else format_moment(state.last.at),
            name=name_of(state),
            email=email_of(state),
            events=0 if state is None else state.events,
            memberships=show_memberships(worked_out(connection, workspace, found.canonical_id)),
        )

    return await desk.store.read(read)


@operation("GET", "/headwater/spaces/{spaceId}/explain", scope="profiles:read", tag="Identity")
async def explain_profiles(desk: Desk, request: ExplainProfiles) -> ExplainProfilesAnswer:
    """Tell why two identifiers or profile ids are one person: every link and merge between them, with its cause."""
    space = find(await desk.workspace(), request.space_id)

    def read(connection: Connection) -> ExplainProfilesAnswer:
        here, there = (_component_once(connection, space.id, name) for name in (request.a, request.b))
        ids = list(dict.fromkeys((here.canonical_id, there.canonical_id)))
        if len(ids) == 1:
            steps = [show_step(step) for step in explain(here, request.a, request.b).steps]
            return ExplainProfilesAnswer(joined=True, kept_apart=False, profile_ids=ids, steps=steps)
        apart = any(set(pair) & there.profiles.keys() for pair in pairs_apart(connection, here.profiles))
        return ExplainProfilesAnswer(joined=False, kept_apart=apart, profile_ids=ids, steps=[])

    return await desk.store.read(read)


@operation("POST", "/headwater/spaces/{spaceId}/unmerge", scope="profiles:write", tag="Identity")
async def unmerge_profiles(desk: Desk, request: UnmergeProfiles) -> UnmergeProfilesAnswer:
    """Undo one merge exactly, and keep the two sides apart from then on."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[UnmergeProfilesAnswer, list[audit.Entry]]:
        found = _component_once(connection, space.id, _of_merge(connection, space.id, request))
        components.hold(connection, found.canonical_id)
        found = _component(connection, space.id, found.canonical_id)
        merge = _wanted(found, request)
        roots = divide(found, merge.id)
        components.split(connection, space.id, merge, roots, desk.now)
        sides = [components.component(connection, one) for one in sorted(set(roots.values()))]
        answer = UnmergeProfilesAnswer(
            merge=show_merge(msgspec.structs.replace(merge, undone_at=desk.now), kept_apart=True),
            profiles=[summarise(side) for side in sides],
        )
        return answer, [note(desk, "Profiles Unmerged", KIND, space.id, space.name)]

    return await change(desk, work)


@operation("POST", "/headwater/spaces/{spaceId}/unmerge/preview", scope="profiles:read", tag="Identity", changes=False)
async def preview_unmerge(desk: Desk, request: UnmergeProfiles) -> PreviewUnmergeAnswer:
    """Tell what undoing a merge would part, without doing it: the identifiers, traits and events of each side."""
    space = find(await desk.workspace(), request.space_id)
    partitions = desk.log.partitions(PROCESSED)

    def read(connection: Connection) -> PreviewUnmergeAnswer:
        found = _component_once(connection, space.id, _of_merge(connection, space.id, request))
        merge = _wanted(found, request)
        sides: list[SideShape] = []
        for side in parted(found, merge):
            known: list[bytes] = []
            for partition in partitions:
                known += states(connection, partition, side.profiles).values()
            state = unite(map(decode, known))
            sides.append(
                SideShape(
                    profile=summarise(side, state),
                    profiles=sorted(side.profiles),
                    identifiers=[link.identifier for link in side.links],
                    traits=list(traits(state)) if state is not None else [],
                )
            )
        return PreviewUnmergeAnswer(merge=show_merge(merge), sides=sides)

    return await desk.store.read(read)


@operation("GET", "/headwater/spaces/{spaceId}/merge-blocks", scope="profiles:read", tag="Identity")
async def list_merge_blocks(desk: Desk, request: ListMergeBlocks) -> ListMergeBlocksAnswer:
    """List the merges that were undone and whose sides are kept apart."""
    space = find(await desk.workspace(), request.space_id)
    merges, total = await desk.store.read(lambda connection: components.list_apart(connection, space.id, request.count))
    return ListMergeBlocksAnswer(merges=[show_merge(one, kept_apart=True) for one in merges], total=total)


@operation("DELETE", "/headwater/spaces/{spaceId}/merge-blocks/{mergeId}", scope="profiles:write", tag="Identity")
async def remove_merge_block(desk: Desk, request: RemoveMergeBlock) -> RemoveMergeBlockAnswer:
    """Let the two sides of an undone merge be merged again, when an event names both."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[RemoveMergeBlockAnswer, list[audit.Entry]]:
        merge = components.find_merge(connection, space.id, request.merge_id)
        if merge is None:
            raise missing("merge")
        lifted = components.let_together(connection, space.id, merge)
        entries = [note(desk, "Merge Allowed", KIND, space.id, space.name)] if lifted else []
        return RemoveMergeBlockAnswer(lifted=lifted), entries

    return await change(desk, work)


@operation("GET", "/headwater/spaces/{spaceId}/violations", scope="profiles:read", tag="Identity")
async def list_identity_violations(desk: Desk, request: ListIdentityViolations) -> ListIdentityViolationsAnswer:
    """List identifiers that were left out and events that were kept out of a space, with the reason of each."""
    space = find(await desk.workspace(), request.space_id)
    found = await desk.store.read(
        lambda connection: components.list_violations(
            connection, space.id, kind=request.kind, before=request.before, limit=request.count
        )
    )
    return ListIdentityViolationsAnswer(violations=[show_violation(one) for one in found])


def _prefixes(space: Space, search: str, collection: str) -> list[str]:
    """What an identifier may begin with: the search itself if it names a type, else the search after each type."""
    kinds = [kind.name for kind in space.identifiers if kind.collection == collection]
    name, colon, _ = search.partition(":")
    return [search] if colon and name in kinds else [f"{kind}:{search}" for kind in kinds]


def _is_apart(merge: Merge, apart: set[tuple[str, str]]) -> bool:
    low, high = sorted((merge.left_id, merge.right_id))
    return merge.undone_at is not None and (low, high) in apart


def _component(connection: Connection, space_id: str, name: str) -> Component:
    found = components.canonical(connection, space_id, name)
    if found is None:
        raise missing("profile")
    return components.component(connection, found)


def _component_once(connection: Connection, space_id: str, name: str) -> Component:
    """The profile of a name, or the one that an identifier was removed from."""
    found = components.canonical_once(connection, space_id, name)
    if found is None:
        raise missing("profile")
    return components.component(connection, found)


def _of_merge(connection: Connection, space_id: str, request: UnmergeProfiles) -> str:
    """A name of the person whose merge is to be undone."""
    if request.merge_id is None:
        if request.a is None or request.b is None:
            raise invalid("mergeId", 'Name the merge by "mergeId", or two identifiers by "a" and "b"')
        return request.a
    merge = components.find_merge(connection, space_id, request.merge_id)
    if merge is None:
        raise missing("merge")
    return merge.left_id


def _wanted(found: Component, request: UnmergeProfiles) -> Merge:
    if request.merge_id is not None:
        return next(merge for merge in found.merges if merge.id == request.merge_id)
    assert request.a is not None
    assert request.b is not None
    try:
        return merge_between(found, request.a, request.b)
    except KeyError:
        raise SenderError(f"{request.a} and {request.b} are not one person.", code="not_merged") from None
