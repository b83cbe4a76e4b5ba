"""Trying a way of a destination on one event: for real, or dry, with an empty answer of 200 to every request.

What comes back is fit to be shown: secrets of settings, requests, mappings and tokens are hidden. Nothing is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from headwater.manage.forms import MASK
from headwater.spec.outcome import Step

if TYPE_CHECKING:
    from headwater.deliver.classify import Verdict
    from headwater.deliver.plan import LanePlan
    from headwater.deliver.ways import Way
    from headwater.spec.destination import Action, Exchange, Item, Request, Response
    from headwater.spec.workspace import Subscription
    from headwater.store.secrets import Secrets

NOT_SHOWN = "It is sent over a connection of its own, and cannot be shown before it is sent."


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


class Tried(msgspec.Struct, frozen=True):
    """The requests that were or would be made, what came of them if they were, and why none could be made."""

    requests: list[Shown]
    answered: Answered | None = None
    reason: str = ""
    detail: str = ""


async def try_way(plan: LanePlan, way: Way, item: Item, exchange: Exchange | None, hidden: Iterable[str] = ()) -> Tried:
    """Try a way that is not broken. Without an exchange it is tried dry. `hidden` are further secrets."""
    from headwater.deliver.fates import without_secrets
    from headwater.deliver.redact import forms, redacted, redacted_response
    from headwater.spec.destination import Response

    if exchange is None and _speaks_itself(plan, way):
        return Tried([], detail=NOT_SHOWN)
    asked: list[Request] = []

    async def asking(request: Request) -> Response:
        asked.append(request)
        if exchange is None:
            return Response(200, {"content-type": "application/json"}, b"{}")
        return await exchange(request)

    tried = await way.run([item], asking)
    own = forms([*hidden, *(secret for request in asked for secret in request.secrets)])
    secret = (*own, *plan.hidden)
    verdict = without_secrets(tried.verdict, secret).of(0)
    requests = [_shown(redacted(one, secret)) for one in asked]
    failed = not asked and verdict.step is not Step.DELIVERED
    reason, detail = (verdict.reason, verdict.detail) if failed else ("", "")
    if exchange is None:
        return Tried(requests, None, reason, detail)
    answer = redacted_response(tried.response or Response(0), secret, tried.request)
    return Tried(requests, Answered(verdict, tried.took, answer.headers, answer.body), reason, detail)


def payload_of(
    action: Action, mapping: dict[str, Any], event: dict[str, Any], secrets: Secrets
) -> tuple[Any, list[str]]:
    """What a mapping makes of an event, as the action gets it but with its secrets masked, and what is wrong with that.

    Raises MappingError.
    """
    from headwater.spec.mapping import MappingFailed, compile_mapping
    from headwater.spec.payload import compile_fields

    secret = {field.key for field in action.fields if field.secret}
    opened = {key: secrets.open_all(value) if key in secret else value for key, value in mapping.items()}
    try:
        payload, problems = compile_fields(action.fields)(compile_mapping(opened)(event), False)
    except MappingFailed as error:
        return None, [str(error)]
    return {key: MASK if key in secret else value for key, value in payload.items()}, problems


def secrets_of(action: Action | None, subscription: Subscription) -> list[str]:
    """The secrets that stand in a mapping as it is; those of a plan's own subscriptions it hides by itself."""
    fields = action.fields if action is not None else ()
    values = (subscription.mapping.get(field.key) for field in fields if field.secret)
    return [value for value in values if isinstance(value, str)]


def _speaks_itself(plan: LanePlan, way: Way) -> bool:
    """Does it open connections of its own, so that a dry run would not be dry?"""
    definition = plan.definition
    subscription = next((one for one in plan.destination.subscriptions if one.id == way.id), None)
    action = definition.action if subscription is None else definition.find(subscription.action)
    return definition.direct or (action is not None and action.writer is not None)


def _shown(request: Request) -> Shown:
    return Shown(request.method, request.url, request.headers, request.body)
