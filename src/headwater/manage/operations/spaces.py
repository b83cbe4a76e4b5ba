"""Spaces: which sources' events make profiles together (contract: public-api, Spaces).

A space knows what came after it took a source: who an event is about is decided in the pipeline, in order, and the
archive is not resolved anew (docs/design/0013; against profiles-governance 1.1, where the last 30 days are replayed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid, missing
from headwater.spec.space import Space
from headwater.spec.workspace import OWN_KINDS, Workspace
from headwater.store import audit
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KIND = "SPACE"
SpaceId = Annotated[str, Meta(min_length=1, max_length=255, description="The space's id or slug.")]
Slug = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$", description="A short name, unique among spaces.")]
SourceIds = Annotated[list[str], Meta(max_length=1_000, description="Sources that it takes, by id, if not all.")]


class SpaceShape(Shape, frozen=True, kw_only=True):
    """A space, as Segment has it."""

    id: str
    slug: str
    name: str


class SpaceDetail(Shape, frozen=True, kw_only=True):
    """A space and the sources that it takes."""

    id: str
    slug: str
    name: str
    all_sources: bool
    source_ids: list[str]


class ListSpaces(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of spaces."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListSpacesAnswer(Shape, frozen=True, kw_only=True):
    """Spaces, oldest first."""

    spaces: list[SpaceShape]
    pagination: Page


class GetSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId


class GetSpaceAnswer(Shape, frozen=True, kw_only=True):
    """A space."""

    space: SpaceShape


class CreateSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A new space, with the rules that spaces begin with or those of another space."""

    slug: Slug
    name: Name
    source_ids: SourceIds | None = None
    rules_of: Annotated[str | None, Meta(description="A space, by id or slug, whose identity rules to copy.")] = None


class UpdateSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a space; what is absent stays. It matters to events that come later, not to earlier ones."""

    space_id: SpaceId
    name: Name | UnsetType = UNSET
    all_sources: Annotated[bool | UnsetType, Meta(description="Whether it takes every source.")] = UNSET
    source_ids: SourceIds | UnsetType = UNSET


class SpaceAnswer(Shape, frozen=True, kw_only=True):
    """A space and the sources that it takes."""

    space: SpaceDetail


@operation("GET", "/spaces", scope="spaces:read", tag="Spaces")
async def list_spaces(desk: Desk, request: ListSpaces) -> ListSpacesAnswer:
    """List the spaces of the workspace."""
    found, place = page((await desk.workspace()).spaces, request.pagination)
    return ListSpacesAnswer(
        spaces=[SpaceShape(id=one.id, slug=one.slug, name=one.name) for one in found], pagination=place
    )


@operation("GET", "/spaces/{spaceId}", scope="spaces:read", tag="Spaces")
async def get_space(desk: Desk, request: GetSpace) -> GetSpaceAnswer:
    """Show a space."""
    space = find(await desk.workspace(), request.space_id)
    return GetSpaceAnswer(space=SpaceShape(id=space.id, slug=space.slug, name=space.name))


@operation("GET", "/headwater/spaces/{spaceId}", scope="spaces:read", tag="Spaces")
async def get_space_sources(desk: Desk, request: GetSpace) -> SpaceAnswer:
    """Show a space with the sources that it takes."""
    return SpaceAnswer(space=_show(find(await desk.workspace(), request.space_id)))


@operation("POST", "/headwater/spaces", scope="spaces:write", status=201, tag="Spaces")
async def create_space(desk: Desk, request: CreateSpace) -> SpaceAnswer:
    """Make a space that takes all sources, or those that are named: their events from now on, and no earlier ones."""
    workspace = await desk.workspace()
    _check_sources(workspace, request.source_ids or [])
    rules: dict[str, Any] = {"source_ids": tuple(request.source_ids or ())}
    if request.rules_of is not None:
        other = find(workspace, request.rules_of)
        rules |= {"identifiers": other.identifiers, "alias": other.alias}

    def work(connection: Connection) -> tuple[Space, list[audit.Entry]]:
        made = workspaces.create_space(
            connection, slug=request.slug, name=request.name, all_sources=request.source_ids is None, rules=rules
        )
        return made, [note(desk, "Space Created", KIND, made.id, made.name)]

    return SpaceAnswer(space=_show(await change(desk, work)))


@operation("PATCH", "/headwater/spaces/{spaceId}", scope="spaces:write", tag="Spaces")
async def update_space(desk: Desk, request: UpdateSpace) -> SpaceAnswer:
    """Change a space's name, or the sources that it takes; a source brings its events from now on, no earlier ones."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    columns: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("name", "all_sources", "source_ids")
        if getattr(request, name) is not UNSET
    }
    _check_sources(workspace, columns.get("source_ids", []))

    def work(connection: Connection) -> tuple[Space, list[audit.Entry]]:
        after = workspaces.update_space(connection, space.id, **columns)
        return after, [note(desk, "Space Modified", KIND, after.id, after.name)]

    return SpaceAnswer(space=_show(await change(desk, work)))


def find(workspace: Workspace, name: str) -> Space:
    """A space by its id or slug. Raises SenderError 404."""
    for field in ("id", "slug"):
        for space in workspace.spaces:
            if getattr(space, field) == name:
                return space
    raise missing("space")


def _check_sources(workspace: Workspace, source_ids: list[str]) -> None:
    unknown = set(source_ids) - {source.id for source in workspace.sources if source.kind not in OWN_KINDS}
    if unknown:
        raise invalid("sourceIds", f'"sourceIds" names a source that does not exist: {sorted(unknown)[0][:100]}')


def _show(space: Space) -> SpaceDetail:
    return SpaceDetail(
        id=space.id,
        slug=space.slug,
        name=space.name,
        all_sources=space.all_sources,
        source_ids=list(space.source_ids),
    )
