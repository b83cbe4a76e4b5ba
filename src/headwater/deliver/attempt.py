"""One try of a delivery: drives an action's generator over the transport, and judges what came of it.

An answer that means "try later" ends the attempt at once, because the whole of it is repeated. Every other answer is
given to the action, which may look and go on; when it returns, the last answer decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from headwater.deliver.classify import NoAnswer, Verdict, classify, classify_silence, retried
from headwater.deliver.plan import hidden_forms
from headwater.deliver.redact import redacted
from headwater.spec.destination import DestinationDefinition, Item, Request, Response, Result, Steps
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.outcome import Step

_log = logging.getLogger(__name__)
_MAX_STEPS = 20

Exchange = Callable[[Request], Awaitable[Response]]


class Attempted(msgspec.Struct, frozen=True):
    """The verdict, the seconds it took, and the last request and answer, if there were any."""

    verdict: Verdict
    took: float
    request: Request | None = None
    response: Response | None = None


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
    definition: DestinationDefinition, settings: dict[str, Any], items: Sequence[Item], exchange: Exchange
) -> Attempted:
    """Try once. Raises nothing but bugs of the transport: an action that breaks fails its delivery."""
    started = time.perf_counter()
    request: Request | None = None
    response: Response | None = None
    try:
        steps = definition.action.steps(settings, items)
        for _ in range(_MAX_STEPS):
            step = _advance(steps, response)
            if isinstance(step, _Ended):
                verdict = _conclude(step.result, response, definition.credentials, len(items))
                break
            request, response = step, None
            response = await exchange(request)
            if retried(response.status):
                steps.close()
                verdict = classify(response, credentials=definition.credentials, now=time.time())
                break
        else:
            verdict = Verdict(Step.FAILED_DELIVERY, "INTERNAL", f"The action made more than {_MAX_STEPS} requests.")
    except NoAnswer as error:
        verdict = classify_silence(error)
    return Attempted(verdict, time.perf_counter() - started, request, response)


def preview(definition: DestinationDefinition, settings: dict[str, Any], items: Sequence[Item]) -> Previewed:
    """What would be sent if each request were answered with an empty 200. `settings` are in the clear."""
    hidden = hidden_forms(definition, settings)
    made: list[Request] = []
    response: Response | None = None
    try:
        steps = definition.action.steps(settings, items)
        for _ in range(_MAX_STEPS):
            step = _advance(steps, response)
            if isinstance(step, _Ended):
                return Previewed(made, failed=step.result or {})
            made.append(redacted(step, hidden))
            response = Response(200, {"content-type": "application/json"}, b"{}")
    except NoAnswer as error:
        return Previewed(made, error)
    return Previewed(made)


def dry_run(definition: DestinationDefinition, settings: dict[str, Any], items: Sequence[Item]) -> list[Request]:
    """The requests of a preview. Raises SetupError for settings or events that cannot work."""
    definition.check(settings)
    found = preview(definition, settings, items)
    if found.refusal is not None:
        raise SetupError(found.refusal.detail) from found.refusal
    return found.requests


def _advance(steps: Steps, response: Response | None) -> Request | _Ended:
    try:
        return next(steps) if response is None else steps.send(response)
    except StopIteration as ended:
        return _Ended(ended.value)
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
    failed = {index: said for index, said in result.items() if 0 <= index < items}
    return msgspec.structs.replace(verdict, items=failed)
