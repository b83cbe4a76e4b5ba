"""What a destination would make of an event, and what it answers (contract: connections 8.6). Headwater's own."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.operations.failures import meaning, payload
from headwater.manage.previewing import Answered, Check, Made, preview
from headwater.manage.problems import missing
from headwater.spec.wire import JSON
from headwater.store import audit


class PreviewDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event, and whether to really send it."""

    destination_id: DestinationId
    event: Annotated[
        dict[str, Any],
        Meta(description="A call of the spec; without a type, one with an `event` is a track call, any other refused."),
    ]
    send: Annotated[bool, Meta(description="Send it to the destination; otherwise only show what would be sent.")] = (
        False
    )


class PreviewStep(Shape, frozen=True, kw_only=True):
    """One decision on the way to the destination, in order.

    `step` is source, validation, destination, client side, event type, integrations, settings or request. One that did
    not pass has a reason and what it means; those after it that depend on it are absent.
    """

    step: str
    passed: bool
    reason: str
    meaning: str


class PreviewRequest(Shape, frozen=True, kw_only=True):
    """A request, with secrets redacted. `body` is JSON where it can be read, and text otherwise."""

    method: str
    url: str
    headers: dict[str, str]
    body: JSON


class PreviewResponse(Shape, frozen=True, kw_only=True):
    """What came of sending. `status` is 0 when there was no answer; `took` is in milliseconds.

    `step`, `reason` and `meaning` are the outcome that the delivery would have: delivered, failed_delivery or pending.
    `body` is cut to 4 KB.
    """

    status: int
    headers: dict[str, str]
    body: JSON
    took: float
    step: str
    reason: str
    meaning: str
    detail: str


class PreviewDeliveryAnswer(Shape, frozen=True, kw_only=True):
    """What would happen, or with `send` did happen. `event` is the event as it would be published, or null.

    Without `send`, requests after the first are those after an empty answer of 200. `sent` says whether anything was.
    """

    event: JSON
    steps: list[PreviewStep]
    requests: list[PreviewRequest]
    sent: bool
    response: PreviewResponse | None


@operation("POST", "/headwater/destinations/{destinationId}/preview", scope="destinations:write", tag="Destinations")
async def preview_delivery(desk: Desk, request: PreviewDelivery) -> PreviewDeliveryAnswer:
    """Show what a destination would be sent for an event, and on demand send it and show the answer."""
    workspace = await desk.workspace()
    destination = next((one for one in workspace.destinations if one.id == request.destination_id), None)
    if destination is None:
        raise missing("destination")
    made = await preview(desk, workspace, destination, request.event, send=request.send)
    if made.answered is not None:
        line = note(desk, "Integration Tested", "DESTINATION", destination.id, destination.name)
        await desk.store.write(lambda connection: audit.add(connection, line))
    return _show(made)


def _show(made: Made) -> PreviewDeliveryAnswer:
    return PreviewDeliveryAnswer(
        event=payload(made.event),
        steps=[_step(one) for one in made.checks],
        requests=[
            PreviewRequest(method=one.method, url=one.url, headers=one.headers, body=payload(one.body))
            for one in made.requests
        ],
        sent=made.answered is not None,
        response=None if made.answered is None else _response(made.answered),
    )


def _step(check: Check) -> PreviewStep:
    said = check.detail or (meaning(check.outcome, check.reason) if check.reason else "")
    return PreviewStep(step=check.step, passed=not check.reason, reason=check.reason, meaning=said)


def _response(answered: Answered) -> PreviewResponse:
    verdict = answered.verdict
    return PreviewResponse(
        status=verdict.status,
        headers=answered.headers,
        body=payload(answered.body),
        took=round(answered.took * 1000, 1),
        step=verdict.step,
        reason=verdict.reason,
        meaning=meaning(verdict.step, verdict.reason) if verdict.reason else "",
        detail=verdict.detail,
    )
