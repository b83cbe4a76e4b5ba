"""An event on the way to one destination, without the log: what decides on it, and what would be sent.

The pipeline's own heart makes the event and its decision, the destination's filters and subscriptions are compiled as
deliver compiles them, and deliver's own ways make the requests and judge the answers; nothing is counted, parked or
kept. An event that would be filtered is not sent; a destination that is switched off or paused is, because who tests
wants to know before switching it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.eventlog import Chunk, Record
from headwater.manage.attempting import Tried, payload_of, try_way
from headwater.manage.desk import Desk
from headwater.manage.subscribing import why_not
from headwater.manage.trials import ports
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.filters import compile_filters
from headwater.spec.fql import FqlError
from headwater.spec.mapping import MappingError
from headwater.spec.outcome import Step
from headwater.spec.wire import encode
from headwater.spec.workspace import Destination, Source, Subscription, Workspace

if TYPE_CHECKING:
    from headwater.deliver.plan import LanePlan
    from headwater.manage.trials import Open
    from headwater.pipeline.plan import Enrichment
    from headwater.spec.destination import Exchange, Item
    from headwater.spec.settings import PipelineSettings
    from headwater.store.secrets import Secrets

_DECIDED: Final = (
    ("client side", "MESSAGE_SENT_CLIENT_SIDE"),
    ("event type", "UNSUPPORTED_EVENT_TYPE"),
    ("integrations", "FILTERED_BY_INTEGRATIONS_OBJECT"),
)
"""What the pipeline decides for one destination, in its order (contract: connections 6.2)."""


class Check(msgspec.Struct, frozen=True):
    """One decision: passed unless there is a reason, which belongs to the step `outcome` of the ledger.

    `name` is what decides, where a step has several of these.
    """

    step: str
    reason: str = ""
    outcome: Step = Step.PENDING
    detail: str = ""
    name: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to try: an event as a client sends it, or with `published` one as it was published, and how.

    `only` are the subscriptions to try in the place of the destination's own, as they are here. With `unfiltered` its
    filters are left out.
    """

    event: dict[str, Any]
    published: bytes = b""
    send: bool = False
    unfiltered: bool = False
    only: tuple[Subscription, ...] = ()


class Taken(msgspec.Struct, frozen=True):
    """What one subscription does with the event; for a destination that takes whole events it is None.

    `why` says why it does not match. `payload` is what its mapping makes of the event, and `problems` what is wrong
    with that. `tried` is None where it is not tried.
    """

    subscription: Subscription | None
    matched: bool
    why: str = ""
    payload: Any = None
    problems: Sequence[str] = ()
    tried: Tried | None = None


class Made(msgspec.Struct, frozen=True):
    """What a preview led to. `event` is the event as it would be published, or empty when it is refused, and `left`
    what the destination's filters leave of it.
    """

    event: bytes
    left: bytes
    checks: list[Check]
    taken: list[Taken] = []

    @property
    def sent(self) -> bool:
        """Was anything really sent?"""
        return any(one.tried is not None and one.tried.answered is not None for one in self.taken)


async def preview(desk: Desk, workspace: Workspace, destination: Destination, wanted: Wanted) -> Made:
    """Take an event as far towards a destination as it comes, and send it if that is wanted and it is not filtered."""
    source = next(one for one in workspace.sources if one.id == destination.source_id)
    published, checks = publish(wanted.event, source, destination, workspace, desk)
    if published is None:
        return Made(b"", b"", checks)
    if wanted.published:
        published = msgspec.structs.replace(published, body=wanted.published)
    left = published
    if not wanted.unfiltered:
        left = filtered(destination, published, checks)
    barred = any(check.reason and check.step != "destination" for check in checks)
    subscriptions = wanted.only or destination.subscriptions
    async with ports(desk) as opened:
        exchange = opened.exchange if wanted.send and not barred else None
        plan = compile_trial(desk, opened, destination, subscriptions)
        broken = plan is None or bool(plan.broken)
        reason = "INVALID_SETTINGS" if broken else ""
        checks.append(Check("settings", reason, Step.FAILED_DELIVERY, plan.broken if plan is not None else ""))
        if plan is None:
            return Made(published.body, left.body, checks)
        hidden = await secrets_behind(opened, destination)
        if plan.definition.action is None:
            live = {one.id for one in subscriptions if one.enabled or wanted.only}
            taken = [
                await take(plan, one, left, exchange if one.id in live else None, hidden=hidden, secrets=desk.secrets)
                for one in subscriptions
            ]
            checks.append(_matching(taken, all=bool(wanted.only)))
        else:
            taken = [] if broken else [await take_whole(plan, left, exchange, checks)]
    return Made(published.body, left.body, checks, taken)


async def secrets_behind(opened: Open, destination: Destination) -> list[str]:
    """The secrets of a destination that do not stand in its settings: its tokens."""
    return list((await opened.tokens.current(destination)).values()) if destination.tokens_version else []


def _matching(taken: Sequence[Taken], *, all: bool) -> Check:
    """Does a subscription match? Those that are switched off only count if all do."""
    for one in taken:
        if one.matched and one.subscription is not None and (all or one.subscription.enabled):
            return Check("subscriptions")
    if all:
        return Check("subscriptions", "NO_MATCHING_MAPPING", Step.FILTERED_AT_DESTINATION, taken[0].why)
    return Check("subscriptions", "NO_MATCHING_MAPPING", Step.FILTERED_AT_DESTINATION)


def filtered(destination: Destination, item: Item, checks: list[Check]) -> Item:
    """What the filters leave of an event; each says in the checks what it does."""
    event = item.read()
    for one in destination.filters:
        if not one.enabled:
            continue
        alone = compile_filters([one])(event)
        if alone.dropped:
            checks.append(Check("filter", "FILTERED_BY_RULES", Step.FILTERED_AT_DESTINATION, name=one.title))
        else:
            said = "It changes the event." if alone.event is not event else "It leaves the event as it is."
            checks.append(Check("filter", detail=said, name=one.title))
    left = compile_filters(destination.filters)(event)
    if left.dropped or left.event is event:
        return item
    return msgspec.structs.replace(item, body=encode(left.event))


def compile_trial(
    desk: Desk, opened: Open, destination: Destination, subscriptions: Sequence[Subscription]
) -> LanePlan | None:
    """The destination as deliver compiles it, as if all of it were switched on, without its filters."""
    from headwater.deliver.plan import compile_lane

    switched_on = msgspec.structs.replace(
        destination,
        enabled=True,
        paused=False,
        filters=(),
        subscriptions=tuple(msgspec.structs.replace(one, enabled=True) for one in subscriptions),
    )
    return compile_lane(switched_on, desk.secrets, desk.settings.deliver, opened.perform)


async def take_whole(plan: LanePlan, item: Item, exchange: Exchange | None, checks: list[Check]) -> Taken:
    """What a destination that takes whole events does with one."""
    tried = await try_way(plan, plan.ways[""], item, exchange)
    checks.append(Check("request", tried.reason, Step.FAILED_DELIVERY, tried.detail))
    return Taken(None, matched=True, tried=tried)


async def take(
    plan: LanePlan,
    one: Subscription,
    item: Item,
    exchange: Exchange | None,
    *,
    hidden: Sequence[str],
    secrets: Secrets,
) -> Taken:
    """What a subscription does with an event. `hidden` are secrets beyond those of settings and mapping."""
    event = item.read()
    way, action = plan.ways[one.id], plan.definition.find(one.action)
    matched = way.holds is None or way.holds(event)
    if action is None:
        return Taken(one, matched, problems=["The destination no longer has this action."])
    try:
        why = "" if matched else why_not(one.trigger, event)
        payload, problems = payload_of(action, one.mapping, event, secrets)
    except (FqlError, MappingError) as error:
        return Taken(one, matched, problems=[str(error)])
    if way.broken and not plan.broken:
        problems = [*problems, way.broken]
    if not matched or way.broken:
        return Taken(one, matched, why, payload, problems)
    return Taken(one, matched, why, payload, problems, await try_way(plan, way, item, exchange, hidden))


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


@lru_cache(maxsize=1)
def _enrichments(settings: PipelineSettings) -> tuple[Enrichment, ...]:
    """The pipeline's own enrichments, opened with the first preview."""
    from headwater.pipeline.enrich import prepare

    return tuple(prepare(settings))
