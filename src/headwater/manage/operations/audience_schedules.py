"""Schedules and forced runs: only linked audiences have them (contract: public-api 9, Audiences). So there are none."""

from __future__ import annotations

from typing import Annotated, Literal, NoReturn

import msgspec
from msgspec import Meta

from headwater.manage.answers import Done, Shape
from headwater.manage.computations import with_run
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.audiences import AudienceId, OneAudience, ScheduleConfig, ScheduleShape
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import missing
from headwater.spec.errors import SenderError

Strategy = Annotated[Literal["PERIODIC", "SPECIFIC_DAYS"], Meta(description="How it repeats.")]
Config = Annotated[ScheduleConfig | None, Meta(description="When it runs.")]
ScheduleId = Annotated[str, Meta(min_length=1, max_length=255, description="The schedule's id.")]


class ListSchedulesAnswer(Shape, frozen=True, kw_only=True):
    """The schedules of an audience: none."""

    audience_schedules: list[ScheduleShape]


class ScheduleAnswer(Shape, frozen=True, kw_only=True):
    """A schedule."""

    audience_schedule: ScheduleShape


class AddSchedule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A schedule for an audience."""

    space_id: SpaceId
    id: AudienceId
    strategy: Strategy
    config: Config


class OneSchedule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A schedule of an audience."""

    space_id: SpaceId
    id: AudienceId
    schedule_id: ScheduleId


class UpdateSchedule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Another time for a schedule."""

    space_id: SpaceId
    id: AudienceId
    schedule_id: ScheduleId
    strategy: Strategy
    config: Config


class ForceRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience."""

    space_id: SpaceId
    audience_id: AudienceId


class RunShape(Shape, frozen=True, kw_only=True):
    """A run."""

    id: str


class RunAnswer(Shape, frozen=True, kw_only=True):
    """The run that was begun."""

    run: RunShape


_ALL = "/spaces/{spaceId}/audiences/{id}/schedules"
_ONE = "/spaces/{spaceId}/audiences/{id}/schedules/{scheduleId}"


@operation("GET", _ALL, scope="audiences:read", tag="Audiences")
async def list_audience_schedules_from_space_and_audience(desk: Desk, request: OneAudience) -> ListSchedulesAnswer:
    """List the schedules of an audience: none, since it is worked out as events come."""
    await _audience(desk, request.space_id, request.id)
    return ListSchedulesAnswer(audience_schedules=[])


@operation("POST", _ALL, scope="audiences:write", tag="Audiences", changes=False)
async def add_audience_schedule_to_audience(desk: Desk, request: AddSchedule) -> ScheduleAnswer:
    """Refused: only linked audiences have schedules."""
    await _audience(desk, request.space_id, request.id)
    _refuse("Schedules")


@operation("GET", _ONE, scope="audiences:read", tag="Audiences")
async def get_audience_schedule_from_space_and_audience(desk: Desk, request: OneSchedule) -> ScheduleAnswer:
    """Refused: only linked audiences have schedules."""
    await _audience(desk, request.space_id, request.id)
    raise missing("schedule")


@operation("PATCH", _ONE, scope="audiences:write", tag="Audiences", changes=False)
async def update_audience_schedule_for_audience(desk: Desk, request: UpdateSchedule) -> ScheduleAnswer:
    """Refused: only linked audiences have schedules."""
    await _audience(desk, request.space_id, request.id)
    raise missing("schedule")


@operation("DELETE", _ONE, scope="audiences:write", tag="Audiences", changes=False)
async def remove_audience_schedule_from_audience(desk: Desk, request: OneSchedule) -> Done:
    """Refused: only linked audiences have schedules."""
    await _audience(desk, request.space_id, request.id)
    raise missing("schedule")


@operation(
    "POST", "/spaces/{spaceId}/audiences/{audienceId}/runs", scope="audiences:write", tag="Audiences", changes=False
)
async def force_execute_audience_run(desk: Desk, request: ForceRun) -> RunAnswer:
    """Refused: only linked audiences run on demand."""
    await _audience(desk, request.space_id, request.audience_id)
    _refuse("Forced runs")


async def _audience(desk: Desk, space_id: str, id: str) -> None:
    await with_run(desk, find(await desk.workspace(), space_id), id, "audience")


def _refuse(what: str) -> NoReturn:
    raise SenderError(f"{what} are for linked audiences; this one is worked out as events come.", status=400)
