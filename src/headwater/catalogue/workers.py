"""The workers of this process: deliveries and questions go in, and no death of a worker is anybody's but its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any

import msgspec

from headwater.catalogue import frames, place
from headwater.catalogue.asking import Refused, refusal, said
from headwater.catalogue.calls import Answer, Call, Ended, HoldTokens, SaveTokens, Tokens, all_alike
from headwater.catalogue.definitions import direct
from headwater.catalogue.lane import Lane
from headwater.catalogue.secrets import masked, secrets
from headwater.catalogue.suspects import Suspects
from headwater.catalogue.worker import Pace, Running, Worker, WorkerEnded
from headwater.spec.destination import Exchange
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.settings import CatalogueSettings
from headwater.spec.wire import JSON

_ENDED = Ended("retry", code="WORKER_ENDED", message="The worker ended meanwhile; whether this was sent is not known.")
_AWAY = Ended("retry", code="WORKER_AWAY", message="No worker was free in time.")
_SILENT = Ended("retry", code="TIMEOUT", message="The destination did not end in time.")
_KILLED = Ended("permanent", code="KILLED_WORKERS", message="This event ended two workers, and is given up.")
_TOO_LARGE = Ended("permanent", code="TOO_LARGE", message="The event is larger than a worker takes (16 MB).")
_PRODUCTION = {"NODE_ENV": "production", "ACTIONS_MEMORA_ENV": "production", "TZ": "UTC"}
"""As at Segment: else some destinations speak to what their authors try things on, and write local times."""

_NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true"}
_MOST_BODIES = frames.MOST_BYTES - 1_000_000
_OFF = "opens connections of its own; an operator can allow it with the setting catalogue.direct."


class WorkerAway(Unavailable):
    """No worker could be had."""


class Workers:
    """Open it with `async with`. A worker is started when it is first needed."""

    def __init__(
        self, settings: CatalogueSettings, *, environment: Mapping[str, str] | None = None, pace: Pace | None = None
    ) -> None:
        """`environment` is all that destinations see of ours, such as the ids of apps that an operator registered."""
        self._settings = settings
        self._environment = dict(environment or {})
        self._pace = pace or Pace(memory=settings.memory_mb * 1_000_000)
        self._suspects = Suspects()
        self._apart = asyncio.Lock()
        self._lanes = {direct: Lane(partial(self._start, direct), self._pace) for direct in (False, True)}

    async def __aenter__(self) -> Workers:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._lanes.values():
            await lane.close()

    async def deliver(
        self,
        call: Call,
        exchange: Exchange,
        *,
        save_tokens: SaveTokens | None = None,
        hold_tokens: HoldTokens | None = None,
    ) -> Answer:
        """Perform a call, and say what became of each of its events; it raises nothing of its own.

        Every request goes through the exchange. Before tokens are refreshed, `hold_tokens` is entered, and what it
        gives is used instead if it is newer; `save_tokens` is awaited before they are used. Both may raise, and what
        they raise is raised here.
        """
        if said := self._forbidden(call.destination):
            return all_alike(call, Ended("permanent", code="INVALID_SETTINGS", message=said))
        if said := place.missing():
            return all_alike(call, Ended("retry", code="WORKER_AWAY", message=said))
        call = msgspec.structs.replace(call, events=[frames.body(event) for event in call.events])
        private = secrets(call.destination, call.settings, call.tokens)
        running = partial(Running, exchange, tokens=call.tokens, secrets=private, save=save_tokens, hold=hold_tokens)
        if self._suspects.holds(call):
            return await self._deliver_apart(call, running)
        try:
            lane = self._lanes[direct(call.destination)]
            async with self._worker(lane, call.deadline, _size(call)) as worker:
                return await _perform(worker, call, running)
        except WorkerEnded:
            self._suspects.note(call)
            return all_alike(call, _ENDED)
        except WorkerAway as error:
            return all_alike(call, msgspec.structs.replace(_AWAY, message=str(error)))

    async def ask(
        self,
        method: str,
        args: dict[str, Any],
        exchange: Exchange,
        *,
        tokens: Tokens | None = None,
        save_tokens: SaveTokens | None = None,
        hold_tokens: HoldTokens | None = None,
        deadline: float = 30.0,
    ) -> JSON:
        """Ask a destination (`args["dest"]`) something other than a delivery, and return what it says.

        `testAuth` {settings}; `defaults` {action}; `dynamicField` {action, field, settings, payload, page, hook,
        hookInputs, audienceSettings}: {choices, nextPage, error}; `hook` {action, hook, settings, hookInputs, payload};
        `createAudience` {settings, audienceName, audienceSettings} and `getAudience` {settings, externalId,
        audienceSettings}: {externalId}; `onDelete` {settings, event: {userId, anonymousId}}; `refresh` {settings}: new
        tokens; `manifest`: the definition. Raises Refused, Unavailable, and SetupError without a catalogue.
        """
        slug = str(args.get("dest", ""))
        if said := self._forbidden(slug) or place.missing():
            raise SetupError(said)
        asked = {"settings": {}, **args, "oauth": tokens or {}}
        private = secrets(slug, asked["settings"], tokens or {})
        running = Running(exchange, tokens=tokens or {}, secrets=private, save=save_tokens, hold=hold_tokens)

        def line(id: int) -> bytes:
            return frames.write("rpc", id=id, m=method, args=asked, deadline_ms=deadline * 1_000)

        try:
            async with self._worker(self._lanes[direct(slug)], deadline, 0) as worker:
                result = await worker.perform(line, running, seconds=deadline)
        except WorkerEnded:
            raise Unavailable("The worker ended before it answered.") from None
        if result is None:
            raise Unavailable("The destination did not answer in time.")
        if result.error is None:
            return result.data
        if running.refused is not None:
            raise Refused(running.refused.detail, code=running.refused.reason)
        if running.silence is not None:
            raise Unavailable(running.silence.detail)
        raise refusal(result.error, private)

    def _forbidden(self, slug: str) -> str:
        return "" if self._settings.direct or not direct(slug) else f"{slug} {_OFF}"

    async def _start(self, direct: bool) -> Worker:
        node = place.node()
        assert node is not None, "Nobody asks without Node.js."
        environment = _PRODUCTION | self._environment | (_NO_CREDENTIALS if direct else {})
        # Less would end it before it can be replaced; more would let it keep what it could clear away.
        most = f"--max-old-space-size={self._settings.memory_mb * 3 // 2}"
        arguments = [most, str(place.bundle()), "direct" if direct else "worker"]
        return await Worker.start(node, arguments, environment, self._pace)

    @asynccontextmanager
    async def _worker(self, lane: Lane, seconds: float, size: int) -> AsyncGenerator[Worker]:
        """A worker with a place in it for so many bytes. Raises WorkerAway when none is had in that many seconds."""
        try:
            async with AsyncExitStack() as held:
                await held.enter_async_context(lane.places.taken(size, seconds))
                async with asyncio.timeout(seconds):
                    worker = await lane.worker()
                leaving = held.pop_all()
        except TimeoutError:
            raise WorkerAway(_AWAY.message) from None
        except (OSError, WorkerEnded) as error:
            raise WorkerAway(f"No worker could be started: {error}") from None
        async with leaving:
            yield worker

    async def _deliver_apart(self, call: Call, running: Callable[[], Running]) -> Answer:
        """Perform a call whose events were there when a worker died, alone in a worker of its own.

        If that dies too, its events are tried one by one, and those that end a worker are given up.
        """
        async with self._apart:
            if len(call.events) > 1:
                answer = await self._deliver_alone(call, running)
                if answer is not None:
                    self._suspects.clear(call)
                    return answer
            items: list[Ended] = []
            events: list[dict[str, JSON]] = []
            for event in call.events:
                one = msgspec.structs.replace(call, events=[event])
                answer = await self._deliver_alone(one, running)
                self._suspects.clear(one)
                items += answer.items if answer is not None else [_KILLED]
                events += answer.events if answer is not None else []
            return Answer(tuple(items), events)

    async def _deliver_alone(self, call: Call, running: Callable[[], Running]) -> Answer | None:
        """What came of it, or None when it ended its worker."""
        try:
            worker = await self._start(direct(call.destination))
        except (OSError, WorkerEnded):
            return all_alike(call, _AWAY)
        try:
            return await _perform(worker, call, running)
        except WorkerEnded:
            return None
        finally:
            await worker.close()


def _size(call: Call) -> int:
    """The bytes of its events, which are encoded."""
    return sum(map(len, call.events))


async def _perform(worker: Worker, call: Call, running: Callable[[], Running]) -> Answer:
    """Perform a call; one that is too large for a line is halved."""

    if _size(call) > _MOST_BODIES:
        return await _perform_halved(worker, call, running)

    def line(id: int) -> bytes:
        return frames.write(
            "deliver",
            id=id,
            dest=call.destination,
            action=call.action,
            subscribe=call.trigger,
            mapping=call.mapping,
            settings=call.settings,
            oauth=call.tokens,
            features=call.features,
            deadline_ms=call.deadline * 1_000,
            batch=call.batch,
            events=[msgspec.Raw(frames.body(event)) for event in call.events],
        )

    under_way = running()
    result = await worker.perform(line, under_way, seconds=call.deadline)
    if result is None:
        return all_alike(call, _SILENT)
    judged = [result.error] * len(call.events) if result.error is not None else result.results
    if len(judged) != len(call.events):
        return all_alike(call, _SILENT)
    items = tuple(_ended(each, under_way) for each in judged)
    return Answer(items, result.data["batch"] if isinstance(result.data, dict) else [])


async def _perform_halved(worker: Worker, call: Call, running: Callable[[], Running]) -> Answer:
    if len(call.events) == 1:
        return all_alike(call, _TOO_LARGE)
    half = len(call.events) // 2
    halves = (msgspec.structs.replace(call, events=part) for part in (call.events[:half], call.events[half:]))
    one, other = [await _perform(worker, part, running) for part in halves]
    return Answer(one.items + other.items, one.events + other.events)


def _ended(judged: frames.Judged, running: Running) -> Ended:
    if judged.cls in ("ok", "skipped"):
        return Ended(judged.cls, judged.status)
    if running.refused is not None:
        return Ended("permanent", code=running.refused.reason, message=running.refused.detail)
    kind = judged.cls if judged.cls in ("retry", "auth") else "permanent"
    message = masked(said(judged), running.secrets)
    return Ended(kind, judged.status, judged.code, message, judged.retry_after)
