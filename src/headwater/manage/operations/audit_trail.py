"""The audit trail (contract: public-api 9, Audit trail)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page_of
from headwater.manage.spans import moment
from headwater.spec.timestamps import format_moment
from headwater.store import audit


class ListAuditEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of the trail."""

    start_time: Annotated[str | None, Meta(description="The first moment (ISO 8601).")] = None
    end_time: Annotated[str | None, Meta(description="The moment after the last.")] = None
    resource_id: Annotated[str | None, Meta(description="Only changes of this resource.")] = None
    resource_type: Annotated[str | None, Meta(description="Only this kind: SOURCE, DESTINATION, ...")] = None
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class AuditEvent(Shape, frozen=True, kw_only=True):
    """One change; the actor is the id of the token that made it."""

    id: str
    timestamp: str
    type: str
    actor: str
    resource_id: str
    resource_type: str
    resource_name: str


class ListAuditEventsAnswer(Shape, frozen=True, kw_only=True):
    """Changes, newest first."""

    events: list[AuditEvent]
    pagination: Page


@operation("GET", "/audit-events", scope="audit:read", tag="Audit Trail")
async def list_audit_events(desk: Desk, request: ListAuditEvents) -> ListAuditEventsAnswer:
    """List who changed what and when."""
    since = moment("startTime", request.start_time, 0)
    until = moment("endTime", request.end_time, 2**62)
    kind = request.resource_type.upper() if request.resource_type is not None else None
    found, total = await desk.store.read(
        lambda connection: audit.entries(
            connection,
            since=since,
            until=until,
            resource_id=request.resource_id,
            resource_type=kind,
            offset=request.pagination.offset(),
            count=request.pagination.count,
        )
    )
    return ListAuditEventsAnswer(events=[_show(one) for one in found], pagination=page_of(request.pagination, total))


def _show(entry: audit.Entry) -> AuditEvent:
    return AuditEvent(
        id=entry.id,
        timestamp=format_moment(entry.at),
        type=entry.type,
        actor=entry.actor,
        resource_id=entry.resource_id,
        resource_type=entry.resource_type,
        resource_name=entry.resource_name,
    )
