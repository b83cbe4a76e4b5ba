"""Previews: how many a definition would have now, and who some of them are (contract: public-api 9, Audiences)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.defining import account_traits, known_by_of, read_query
from headwater.manage.desk import Desk
from headwater.manage.foreseeing import Previews
from headwater.manage.operation import operation
from headwater.manage.operations.audiences import AudienceDefinition, AudienceType, Days, SizeShape, level_of
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import missing
from headwater.profiles.computing.preview import Asked, Preview
from headwater.spec.computation import Level
from headwater.spec.errors import Unavailable


class PreviewOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is looked at, and how many days back events count: all of them unless told otherwise."""

    filter_by_external_ids: list[str] | UnsetType = UNSET
    backfill_event_data_days: Days | UnsetType = UNSET


class CreateAudiencePreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to preview. `kind` is Headwater's own."""

    space_id: SpaceId
    definition: Annotated[AudienceDefinition, Meta(description="The condition, or the value.")]
    audience_type: AudienceType
    options: Annotated[PreviewOptions, Meta(description="Who is looked at, and how far back.")] = PreviewOptions()
    kind: Annotated[Literal["audience", "trait"], Meta(description="A condition, or a value.")] = "audience"


class PreviewId(Shape, frozen=True, kw_only=True):
    """The id to ask with."""

    id: str


class CreateAudiencePreviewAnswer(Shape, frozen=True, kw_only=True):
    """A preview that was begun."""

    audience_preview: PreviewId


class GetAudiencePreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A preview."""

    space_id: SpaceId
    id: Annotated[str, Meta(min_length=1, max_length=255, description="The preview's id.")]


class PreviewResult(Shape, frozen=True, kw_only=True):
    """A profile that would be in it. All but the id is Headwater's own.

    `because` are the traits that the query reads, as far as the profile has them; `value` is that of a computed trait.
    """

    id: str
    value: Any
    name: str
    email: str
    user_id: str
    identifiers: tuple[str, ...]
    because: dict[str, Any]


class PreviewShown(Shape, frozen=True, kw_only=True):
    """The options that a preview answers for."""

    filter_by_external_ids: tuple[str, ...]
    include_historical_data: bool = True
    backfill_event_data_days: int | UnsetType = UNSET


class PreviewShape(Shape, frozen=True, kw_only=True):
    """A preview: `size` and `results` when it is completed, `failureReason` when it failed.

    `done` and `total` are Headwater's own: how many events, then profiles, of how many are looked at.
    """

    id: str
    audience_type: Level
    definition: AudienceDefinition
    options: PreviewShown
    status: Literal["RUNNING", "COMPLETED", "FAILED"]
    results: list[PreviewResult] | UnsetType
    size: SizeShape | UnsetType
    failure_reason: str | UnsetType
    done: int
    total: int


class GetAudiencePreviewAnswer(Shape, frozen=True, kw_only=True):
    """A preview, as far as it has come."""

    audience_preview: PreviewShape


@operation("POST", "/spaces/{spaceId}/audiences/previews", scope="audiences:write", tag="Audiences")
async def create_audience_preview(desk: Desk, request: CreateAudiencePreview) -> CreateAudiencePreviewAnswer:
    """Begin to work out how many profiles a definition would have now; nothing is saved."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    level = level_of(request.audience_type, request.definition.target_entity)
    beyond = account_traits(workspace.computations, space)
    read_query(request.definition.query, request.kind, level, account_traits=beyond)
    types = None if request.options.filter_by_external_ids is UNSET else request.options.filter_by_external_ids
    days = request.options.backfill_event_data_days
    known_by = known_by_of(space, level, types, field="options.filterByExternalIds")
    asked = Asked(
        space_id=space.id,
        query=request.definition.query,
        level=level,
        known_by=known_by if request.kind == "audience" else (),
        history_days=0 if days is UNSET else days,
    )
    id = await _previews(desk).start(asked)
    await change(desk, lambda _: (None, [note(desk, "Audience Preview Created", "AUDIENCE", id, space.name)]))
    return CreateAudiencePreviewAnswer(audience_preview=PreviewId(id=id))


@operation("GET", "/spaces/{spaceId}/audiences/previews/{id}", scope="profiles:read", tag="Audiences")
async def get_audience_preview(desk: Desk, request: GetAudiencePreview) -> GetAudiencePreviewAnswer:
    """Show a preview: how many there are, and some of them, once it is completed."""
    space = find(await desk.workspace(), request.space_id)
    found = _previews(desk).get(request.id)
    if found.asked.space_id != space.id:
        raise missing("preview")
    return GetAudiencePreviewAnswer(audience_preview=_show(found))


def _previews(desk: Desk) -> Previews:
    if desk.previews is None:
        raise Unavailable("Nothing is previewed here.")
    return desk.previews


def _show(found: Preview) -> PreviewShape:
    asked, whole = found.asked, found.status == "COMPLETED"
    return PreviewShape(
        id=found.id,
        audience_type=asked.level,
        definition=AudienceDefinition(query=asked.query),
        options=PreviewShown(
            filter_by_external_ids=asked.known_by, backfill_event_data_days=asked.history_days or UNSET
        ),
        status=found.status,
        results=[
            PreviewResult(
                id=one.profile_id,
                value=one.value,
                name=one.name,
                email=one.email,
                user_id=one.user_id,
                identifiers=one.identifiers,
                because=one.because,
            )
            for one in found.sample
        ]
        if whole
        else UNSET,
        size=SizeShape(count=found.count, type=asked.level) if whole else UNSET,
        failure_reason=found.failure or UNSET,
        done=found.done,
        total=found.total,
    )
