"""The audit trail (contract: public-api 9, Audit trail)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page_of
from headwater.manage.spans import moment
from headwater.spec.timestamps import format_moment
from headwater.store import audit, users

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class ListAuditEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of the trail."""

    start_time: Annotated[str | None, Meta(description="The first moment (ISO 8601).")] = None
    end_time: Annotated[str | None, Meta(description="The moment after the last.")] = None
    resource_id: Annotated[str | None, Meta(description="Only changes of this resource.")] = None
    resource_type: Annotated[str | None, Meta(description="Only this kind: SOURCE, DESTINATION, ...")] = None
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class AuditEvent(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One change. The actor is the id of the user or token who made it; the e-mail is of a user who is still one."""

    id: str
    timestamp: str
    type: str
    actor: str
    resource_id: str
    resource_type: str
    resource_name: str
    actor_email: str | None = None


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

    def look(connection: Connection) -> tuple[list[audit.Entry], int, dict[str, str]]:
        found, total = audit.entries(
            connection,
            since=since,
            until=until,
            resource_id=request.resource_id,
            resource_type=kind,
            offset=request.pagination.offset(),
            count=request.pagination.count,
        )
        return found, total, users.emails(connection, {one.actor for one in found})

    found, total, emails = await desk.store.read(look)
    shown = [_show(one, emails.get(one.actor)) for one in found]
    return ListAuditEventsAnswer(events=shown, pagination=page_of(request.pagination, total))


def _show(entry: audit.Entry, email: str | None) -> AuditEvent:
    return AuditEvent(
        id=entry.id,
        timestamp=format_moment(entry.at),
        type=entry.type,
        actor=entry.actor,
        resource_id=entry.resource_id,
        resource_type=entry.resource_type,
        resource_name=entry.resource_name,
        actor_email=email,
    )
