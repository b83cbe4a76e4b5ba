"""One try of a delivery: drives an action's generator over the transport, and judges what came of it.

An answer that means "try later" ends the attempt at once, because the whole of it is repeated. Every other answer is
given to the action, which may look and go on; when it returns, the last answer decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from headwater.deliver.classify import Verdict, classify, classify_silence, retried
from headwater.deliver.redact import redacted
from headwater.spec.destination import Action, Exchange, Failed, Item, NoAnswer, Request, Response, Result, Steps
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.outcome import Step

_log = logging.getLogger(__name__)
_MAX_STEPS = 20
_BISECTED = frozenset({400, 413, 422})


class Attempted(msgspec.Struct, frozen=True):
    """The verdict, the seconds it took, and the last request and answer, if there were any."""

    verdict: Verdict
    took: float
    request: Request | None = None
    response: Response | None = None

    @classmethod
    def refused(cls, failed: Mapping[int, Failed]) -> Attempted:
        """Nothing was tried, because every item failed by itself."""
        items = {index: item_verdict(why) for index, why in failed.items()}
        return cls(msgspec.structs.replace(items[0], items=items), 0.0)

    def among(self, indexes: Sequence[int], failed: Mapping[int, Failed]) -> Attempted:
        """The same among more items: those tried were at `indexes`, the others `failed` by themselves."""
        if not failed:
            return self
        items = {indexes[index]: own for index, own in self.verdict.items.items()}
        items |= {index: item_verdict(why) for index, why in failed.items()}
        return msgspec.structs.replace(self, verdict=msgspec.structs.replace(self.verdict, items=items))


class Previewed(msgspec.Struct, frozen=True):
    """The requests that would be made, their secrets hidden; why no further one is made when the action refuses; and
    the items that it does not send: index to why.
    """

    requests: list[Request]
    refusal: NoAnswer | None = None
    failed: dict[int, str] = {}


class _Ended(msgspec.Struct, frozen=True):
    result: Result


async def attempt(
    action: Action, settings: dict[str, Any], items: Sequence[Item], exchange: Exchange, *, credentials: bool
) -> Attempted:
    """Try once. Raises nothing but bugs of the transport: an action that breaks fails its delivery.

    `credentials`: the destination has credentials of its owner, who is told when they are refused.
    """
    started = time.perf_counter()
    request: Request | None = None
    response: Response | None = None
    try:
        steps = _begin(action, settings, items)
        for _ in range(_MAX_STEPS):
            step = _advance(steps, response)
            if isinstance(step, _Ended):
                verdict = _conclude(step.result, response, credentials, len(items))
                break
            request, response = step, None
            response = await exchange(request)
            if retried(response.status):
                steps.close()
                verdict = classify(response, credentials=credentials, now=time.time())
                break
        else:
            verdict = Verdict(Step.FAILED_DELIVERY, "INTERNAL", f"The action made more than {_MAX_STEPS} requests.")
    except NoAnswer as error:
        verdict = classify_silence(error)
    return Attempted(verdict, time.perf_counter() - started, request, response)


def preview(action: Action, settings: dict[str, Any], items: Sequence[Item], hidden: tuple[str, ...]) -> Previewed:
    """What would be sent if each request were answered with an empty 200. `settings` are in the clear.

    `hidden` are what must not show, in all forms.
    """
    made: list[Request] = []
    response: Response | None = None
    try:
        steps = _begin(action, settings, items)
        for _ in range(_MAX_STEPS):
            step = _advance(steps, response)
            if isinstance(step, _Ended):
                return Previewed(made, failed={index: why.detail for index, why in (step.result or {}).items()})
            made.append(redacted(step, hidden))
            response = Response(200, {"content-type": "application/json"}, b"{}")
    except NoAnswer as error:
        return Previewed(made, error)
    return Previewed(made)


Try = Callable[[Sequence[Item], Exchange], Awaitable[Attempted]]


def bisected(run: Try) -> Callable[[Sequence[Item], Exchange], Coroutine[Any, Any, Attempted]]:
    """Try a batch that is refused as a whole once more in two halves, so that one bad item costs half of the others.

    So is one that its action breaks on (`final`): what it breaks on is mostly one event.
    """

    async def halving(items: Sequence[Item], exchange: Exchange) -> Attempted:
        whole = await run(items, exchange)
        verdict = whole.verdict
        refused = (verdict.step is Step.FAILED_DELIVERY and verdict.status in _BISECTED) or verdict.final
        if len(items) < 2 or verdict.items or not refused:
            return whole
        middle = len(items) // 2
        first = await run(items[:middle], exchange)
        second = await run(items[middle:], exchange)
        return _joined(first, second, middle, len(items))

    return halving


def _joined(first: Attempted, second: Attempted, middle: int, count: int) -> Attempted:
    """Both halves as one: the whole fares as the better half, the items of the other as they did."""
    bare_first, bare_second = (msgspec.structs.replace(half.verdict, items={}) for half in (first, second))
    parts = [first.verdict.items.get(index, bare_first) for index in range(middle)]
    parts += [second.verdict.items.get(index, bare_second) for index in range(count - middle)]
    better, worse = (first, second) if first.verdict.step is Step.DELIVERED else (second, first)
    bare = bare_first if better is first else bare_second
    items = {index: own for index, own in enumerate(parts) if own != bare}
    shown = worse if worse.verdict.step is not Step.DELIVERED else better
    whole = msgspec.structs.replace(bare, items=items)
    return Attempted(whole, first.took + second.took, shown.request, shown.response)


def item_verdict(why: Failed) -> Verdict:
    """What becomes of an item that an action says failed."""
    if why.again:
        return Verdict(Step.PENDING, "RETRY", why.detail, why.status)
    return Verdict(Step.FAILED_DELIVERY, "MESSAGE_REJECTED", why.detail, why.status)


def _begin(action: Action, settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    if action.steps is None:
        raise NoAnswer("INVALID_SETTINGS", "The action cannot be driven here.")
    return action.steps(settings, items)


def _advance(steps: Steps, response: Response | None) -> Request | _Ended:
    try:
        return next(steps) if response is None else steps.send(response)
    except StopIteration as ended:
        return _Ended(ended.value)
    except NoAnswer:
        raise
    except SetupError as error:
        raise NoAnswer("INVALID_SETTINGS", str(error)) from error
    except SenderError as error:
        raise NoAnswer("MESSAGE_REJECTED", str(error)) from error
    except Exception as error:
        _log.exception("An action of a destination failed")
        raise NoAnswer("INTERNAL", f"The destination's action failed: {type(error).__name__}.") from error


def _conclude(result: Result, response: Response | None, credentials: bool, items: int) -> Verdict:
    verdict = Verdict(Step.DELIVERED)
    if response is not None:
        verdict = classify(response, credentials=credentials, now=time.time())
    if verdict.step is not Step.DELIVERED or not result:
        return verdict
    failed = {index: item_verdict(why) for index, why in result.items() if 0 <= index < items}
    return msgspec.structs.replace(verdict, items=failed)
