"""Trying an action of the catalogue: what its worker says became of each event, judged as every answer is.

The worker maps and sends with Segment's own code, and gives back a kind for each event; here that becomes a verdict, in
the words of `classify.py`. Every request comes through the exchange, so the last one is at hand for the note.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from headwater.catalogue import HANDED_BACK, Answer, Call, Ended, Workers
from headwater.deliver.attempt import Attempted
from headwater.deliver.classify import Verdict, classify_silence
from headwater.deliver.ways import Run
from headwater.destinations import HORIZON_HOURS
from headwater.spec.destination import Action, Exchange, Item, NoAnswer, Request, Response
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.outcome import Step
from headwater.spec.vendors import VENDORS
from headwater.spec.workspace import Destination, Subscription
from headwater.store.backlogs import REFUSED

if TYPE_CHECKING:
    from headwater.deliver.tokens import Tokens

_OURS = frozenset(("PRIVATE_ADDRESS", "INVALID_SETTINGS"))
_SETTINGS = frozenset(("UNKNOWN_DESTINATION", "UNKNOWN_ACTION", "INVALID_TRIGGER"))
_REJECTED = frozenset(("PAYLOAD_VALIDATION_FAILED", "TOO_LARGE"))
_HOUSE = frozenset(("WORKER_ENDED", "WORKER_AWAY"))
_CRASH = "CRASH"
_BUGS = frozenset(("KILLED_WORKERS",))
_STATUSES = {400: "BAD_REQUEST", 404: "NOT_FOUND"}
_TOKENS = ("access_token", "refresh_token", "clientSecret")
_EVERY_EVENT = 'type != "-"'
"""What the worker takes for the trigger, also of an event without a type: whether it takes this way is decided."""


class Kept(msgspec.Struct):
    """The last request of a call and its answer. `secrets` are tokens that came during the call."""

    request: Request | None = None
    response: Response | None = None
    secrets: tuple[str, ...] = ()

    def learn(self, tokens: Mapping[str, str]) -> None:
        """Have tokens hidden from now on, which the call did not have when it began."""
        self.secrets += tuple(text for name in _TOKENS if (text := tokens.get(name)))


def catalogued(
    workers: Workers,
    destination: Destination,
    action: Action,
    subscription: Subscription,
    *,
    settings: dict[str, Any],
    credentials: bool = True,
    tokens: Tokens | None = None,
) -> Run:
    """How a subscription to an action of the catalogue is tried. `settings` are in the clear.

    `credentials`: the destination has credentials of its owner, so that a refusal may be of these.
    """
    batched = action.batches and subscription.mapping.get("enable_batching") is True
    call = Call(
        destination=destination.definition,
        action=action.slug,
        trigger=_EVERY_EVENT,
        mapping=_with_hooks(subscription),
        settings={key: value for key, value in settings.items() if key != HORIZON_HOURS.key},
        events=(),
        batch=batched,
    )

    async def run(items: Sequence[Item], exchange: Exchange) -> Attempted:
        kept = Kept()

        async def keep(request: Request) -> Response:
            if kept.secrets:
                request = msgspec.structs.replace(request, secrets=(*request.secrets, *kept.secrets))
            kept.request, kept.response = request, None
            kept.response = await exchange(request)
            return kept.response

        started = time.perf_counter()
        wanted = msgspec.structs.replace(call, events=[item.body for item in items])
        try:
            answer = await _ask(workers, wanted, keep, destination, _Learning(tokens, kept) if tokens else None)
            verdict = judge(answer, asked=kept.request is not None, credentials=credentials)
        except Unavailable as error:
            verdict = Verdict(Step.PENDING, "RETRY", str(error))
        except SetupError as error:
            verdict = Verdict(Step.FAILED_DELIVERY, "INVALID_SETTINGS", str(error))
        except NoAnswer as error:
            verdict = classify_silence(error)
        return Attempted(verdict, time.perf_counter() - started, kept.request, kept.response)

    return run


def _with_hooks(subscription: Subscription) -> dict[str, Any]:
    """The mapping with what the action's hooks answered, where the action looks for it."""
    return {**subscription.mapping, **{hook: {"outputs": said} for hook, said in subscription.hooks.items()}}


class _Learning(msgspec.Struct, frozen=True):
    """The tokens of a call, whose exchange learns of those that come meanwhile."""

    tokens: Tokens
    kept: Kept

    async def save(self, destination_id: str, new: dict[str, str]) -> None:
        self.kept.learn(new)
        await self.tokens.save(destination_id, new)

    @asynccontextmanager
    async def locked(self, destination_id: str) -> AsyncGenerator[dict[str, str]]:
        async with self.tokens.locked(destination_id) as held:
            self.kept.learn(held)
            yield held


async def _ask(
    workers: Workers, call: Call, exchange: Exchange, destination: Destination, learning: _Learning | None
) -> Answer:
    """Ask the worker, with the destination's tokens if it has any; a refresh that is refused is noted with them.

    Raises NoAnswer for a destination that somebody has yet to authorise: its vendor would only hear of no token.
    """
    if learning is None:
        return await workers.deliver(call, exchange)
    tokens = learning.tokens
    held = await tokens.current(destination)
    if destination.definition in VENDORS and not held.get("access_token"):
        raise NoAnswer("UNAUTHORIZED", "Nobody has authorised it yet; do so in its settings.")
    answer = await workers.deliver(
        msgspec.structs.replace(call, tokens=held),
        exchange,
        save_tokens=lambda new: learning.save(destination.id, new),
        hold_tokens=lambda: learning.locked(destination.id),
    )
    refused = next((each for each in answer.items if each.code == "OAUTH_REFRESH_FAILED"), None)
    if refused is not None and refused.kind == "auth":
        with suppress(Unavailable):  # the answer counts all the same, and pauses the destination
            await tokens.refuse(destination.id, refused.message)
    return answer


def judge(answer: Answer, *, asked: bool, credentials: bool = True) -> Verdict:
    """What a worker's answer means: the verdict of most events, and those that fared otherwise.

    Unless the vendor was `asked`, what is permanent is the event's own: its payload is not as the action wants it.
    """
    if answer.events:
        return Verdict(Step.FAILED_DELIVERY, "INVALID_SETTINGS", HANDED_BACK)
    ends = Counter(answer.items)
    delivered = [each for each in ends if each.kind == "ok"]
    most = max(delivered or ends, key=ends.__getitem__)
    verdicts = {each: verdict(each, asked=asked, credentials=credentials) for each in ends}
    others = {index: verdicts[each] for index, each in enumerate(answer.items) if verdicts[each] != verdicts[most]}
    return msgspec.structs.replace(verdicts[most], items=others)


def verdict(ended: Ended, *, asked: bool, credentials: bool = True) -> Verdict:
    """What the end of one event means."""
    status, code, said = ended.status, ended.code, ended.message
    match ended.kind:
        case "ok":
            return Verdict(Step.DELIVERED, status=status)
        case "skipped":
            said = "The destination's own reading of the trigger does not match the event."
            return Verdict(Step.FAILED_DELIVERY, "MESSAGE_REJECTED", said, status)
        case "auth" if not credentials:
            return Verdict(Step.FAILED_DELIVERY, "UNAUTHORIZED", said, status)
        case "auth":
            return Verdict(Step.PENDING, "PAUSED", f"{REFUSED} {said}", status, refused=True)
        case "retry":
            return _later(ended)
        case _ if code == _CRASH:  # perhaps over an answer that the vendor gives for a moment only
            return Verdict(Step.PENDING, "RETRY", said, status, final="INTERNAL")
        case _:
            return Verdict(Step.FAILED_DELIVERY, _reason(status if asked else 0, code), said, status)


def _later(ended: Ended) -> Verdict:
    reason = "RETRY" if ended.status or ended.code in _HOUSE else "UNREACHABLE"
    return Verdict(
        Step.PENDING,
        "TIMEOUT" if ended.code == "TIMEOUT" else reason,
        ended.message,
        ended.status,
        retry_after=ended.retry_after,
        ill=ended.code not in _HOUSE,
    )


def _reason(status: int, code: str) -> str:
    if code in _OURS:
        return code
    if code in _SETTINGS:
        return "INVALID_SETTINGS"
    if code in _REJECTED:
        return "MESSAGE_REJECTED"
    if code in _BUGS:
        return "INTERNAL"
    return _STATUSES.get(status, "REJECTED" if status else "MESSAGE_REJECTED")
