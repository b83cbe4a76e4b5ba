"""An event on the way to one destination, without the log: what decides on it, and what would be sent.

The pipeline's own heart makes the event and its decision, deliver's own attempt makes the requests and judges the
answer; nothing is counted, parked or kept. An event that would be filtered is not sent; a destination that is switched
off or paused is, because who tests wants to know before switching it on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.eventlog import Chunk, Record
from headwater.manage.desk import Desk
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.outcome import Step
from headwater.spec.wire import encode
from headwater.spec.workspace import Destination, Source, Workspace

if TYPE_CHECKING:
    from headwater.deliver.classify import Verdict
    from headwater.deliver.plan import LanePlan
    from headwater.pipeline.plan import Enrichment
    from headwater.spec.destination import Item, Request
    from headwater.spec.settings import PipelineSettings

_DECIDED: Final = (
    ("client side", "MESSAGE_SENT_CLIENT_SIDE"),
    ("event type", "UNSUPPORTED_EVENT_TYPE"),
    ("integrations", "FILTERED_BY_INTEGRATIONS_OBJECT"),
)
"""What the pipeline decides for one destination, in its order (contract: connections 6.2)."""


class Check(msgspec.Struct, frozen=True):
    """One decision: passed unless there is a reason, which belongs to the step `outcome` of the ledger."""

    step: str
    reason: str = ""
    outcome: Step = Step.PENDING
    detail: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A request fit to be shown."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class Answered(msgspec.Struct, frozen=True):
    """What came of sending, fit to be shown; `took` is in seconds."""

    verdict: Verdict
    took: float
    headers: dict[str, str]
    body: bytes


class Made(msgspec.Struct, frozen=True):
    """What a preview led to. `event` is the event as it would be published, or empty when it is refused."""

    event: bytes
    checks: list[Check]
    requests: list[Shown] = []
    answered: Answered | None = None


async def preview(
    desk: Desk, workspace: Workspace, destination: Destination, event: dict[str, Any], *, send: bool
) -> Made:
    """Take an event as far towards a destination as it comes, and send it if that is wanted and it is not filtered."""
    from headwater.deliver.plan import compile_lane

    source = next(one for one in workspace.sources if one.id == destination.source_id)
    published, checks = publish(event, source, destination, workspace, desk)
    if published is None:
        return Made(b"", checks)
    made = published.body
    open_destination = msgspec.structs.replace(destination, enabled=True, paused=False)
    plan = compile_lane(open_destination, desk.secrets, desk.settings.deliver)
    barred = any(check.reason and check.step != "destination" for check in checks)
    if plan is None or plan.broken:
        checks.append(Check("settings", "INVALID_SETTINGS", Step.FAILED_DELIVERY, plan.broken if plan else ""))
        return Made(made, checks)
    checks.append(Check("settings"))
    if send and not barred:
        return await _sent(desk, plan, published, made, checks)
    return _tried_dry(plan, published, made, checks)


def publish(
    event: dict[str, Any], source: Source, destination: Destination, workspace: Workspace, desk: Desk
) -> tuple[Item | None, list[Check]]:
    """The event as the pipeline would publish it, unless it refuses it, and what was decided on the way."""
    from headwater.pipeline.plan import compile_plan
    from headwater.pipeline.process import process

    reason = "locked_workspace" if workspace.locked else "" if source.enabled else "source_disabled"
    checks = [Check("source", reason, Step.FAILED_ON_INGEST)]
    alone = msgspec.structs.replace(
        workspace,
        locked=False,
        sources=(msgspec.structs.replace(source, enabled=True),),
        destinations=(msgspec.structs.replace(destination, enabled=True),),
        warehouses=(),
    )
    body = event if "type" in event or "event" not in event else {"type": "track", **event}
    header = CollectedHeader("", source.id, "", desk.now)
    work = process(
        Chunk(0, [Record(b"", encode_header(header), encode(body))]),
        compile_plan(alone, _enrichments(desk.settings.pipeline)),
        partition=0,
        now=desk.now,
        find_duplicates=lambda ids, moments: set(),
    )
    if not work.records:
        failed = work.outcomes.set_aside[0]
        return None, [*checks, Check("validation", failed.reason, Step.FAILED_ON_INGEST)]
    checks += [Check("validation"), _standing(destination)]
    refused = next(
        (one.reason for one in work.outcomes.counts if one.step == Step.FILTERED_AT_DESTINATION),
        "",
    )
    for step, word in _DECIDED:
        checks.append(Check(step, word if word == refused else "", Step.FILTERED_AT_DESTINATION))
        if word == refused:
            break
    return _item(work.records[0]), checks


def _standing(destination: Destination) -> Check:
    if not destination.enabled:
        return Check(
            "destination", "UNKNOWN_INTEGRATION", Step.FILTERED_AT_DESTINATION, "The destination is switched off."
        )
    if destination.paused:
        return Check("destination", "PAUSED", Step.PENDING)
    return Check("destination")


def _item(record: Record) -> Item:
    from headwater.spec.destination import Item

    header = decode_processed(record.header)
    return Item(record.value, header.type, header.name, header.message_id, 0, header.received_at)


def _tried_dry(plan: LanePlan, item: Item, made: bytes, checks: list[Check]) -> Made:
    from headwater.deliver.attempt import preview as dry
    from headwater.deliver.redact import redact

    assert plan.definition.action is not None
    found = dry(plan.definition.action, plan.settings, [item], plan.hidden)
    if found.refusal is not None:
        check = Check("request", found.refusal.reason, Step.FAILED_DELIVERY, redact(found.refusal.detail, plan.hidden))
    elif found.failed:
        check = Check("request", "MESSAGE_REJECTED", Step.FAILED_DELIVERY, next(iter(found.failed.values())))
    else:
        check = Check("request")
    return Made(made, [*checks, check], [_shown(one) for one in found.requests])


async def _sent(desk: Desk, plan: LanePlan, item: Item, made: bytes, checks: list[Check]) -> Made:
    from headwater.deliver.fates import without_secrets
    from headwater.deliver.redact import forms, redacted, redacted_response
    from headwater.deliver.transport import Transport
    from headwater.spec.destination import Response

    asked: list[Request] = []
    async with Transport(desk.settings.deliver.allowed_addresses) as transport:

        async def exchange(request: Request) -> Response:
            asked.append(request)
            return await transport.exchange(request)

        tried = await plan.ways[""].run([item], exchange)
    hidden = (*forms(secret for request in asked for secret in request.secrets), *plan.hidden)
    answer = redacted_response(tried.response or Response(0), hidden, tried.request)
    verdict = without_secrets(tried.verdict, hidden)
    verdict = verdict.of(0)
    refused = not asked and verdict.step is Step.FAILED_DELIVERY
    checks.append(Check("request", verdict.reason if refused else "", Step.FAILED_DELIVERY, verdict.detail * refused))
    return Made(
        made,
        checks,
        [_shown(redacted(one, hidden)) for one in asked],
        Answered(verdict, tried.took, answer.headers, answer.body),
    )


def _shown(request: Request) -> Shown:
    return Shown(request.method, request.url, request.headers, request.body)


@lru_cache(maxsize=1)
def _enrichments(settings: PipelineSettings) -> tuple[Enrichment, ...]:
    """The pipeline's own enrichments, opened with the first preview."""
    from headwater.pipeline.enrich import prepare

    return tuple(prepare(settings))
