"""One request after another: which part of the room it is for, and the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Final

import msgspec
from granian.rsgi import ProtocolClosed, ProtocolError  # pyright: ignore[reportPrivateImportUsage] - RSGI's names

from headwater.collect import answers, pixel
from headwater.collect.accept import Accepted, accept, refuse
from headwater.collect.addresses import Proxies, plain_address
from headwater.collect.answers import Answer
from headwater.collect.intake import Intake
from headwater.collect.keep import Keeper, marking
from headwater.collect.routes import CALLS, Route, find
from headwater.collect.rsgi import Exchange, Headers, Scope
from headwater.collect.script import FILES, script, script_answer
from headwater.collect.sdk_settings import public_address, settings_document
from headwater.collect.tally import Tally
from headwater.collect.throttle import Budget
from headwater.collect.write_keys import key_in_header
from headwater.eventlog import EventLog
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable
from headwater.spec.settings import CollectSettings
from headwater.store.snapshot import Snapshot

_log: Final = logging.getLogger("headwater.collect")


class TrackingApi:
    """The tracking API over a log: an RSGI application. `sweep` is to be called about once a second."""

    def __init__(
        self,
        *,
        log: EventLog,
        snapshot: Snapshot,
        settings: CollectSettings,
        spilling: Callable[[], bool] | None = None,
    ) -> None:
        """`spilling` tells whether requests wait on this machine's disk for a log that has such a spill."""
        self.draining = False
        self._spilling = spilling
        self._settings = settings
        self._proxies = Proxies(settings.trusted_proxies)
        self._tally = Tally()
        self._intake = Intake(
            max_held_bytes=settings.max_waiting_bytes, read_seconds=settings.read_seconds, now=time.monotonic()
        )
        self._keeper = Keeper(
            log=log,
            snapshot=snapshot,
            settings=settings,
            proxies=self._proxies,
            tally=self._tally,
            marks=str if spilling is None else marking(),
        )

    def sweep(self, *, read_seconds: float | None = None) -> None:
        """Give up on senders slower than their time (the setting's, unless given), and flush the counts."""
        self._intake.sweep(time.monotonic(), read_seconds=read_seconds)
        self._tally.flush()

    def __rsgi__(self, scope: Scope, exchange: Exchange) -> Coroutine[None, None, None]:
        """Answer one request, whatever happens. To be awaited."""
        route = CALLS.get(scope.path)
        if route is not None and scope.method == "POST":
            return self._track(route, scope, exchange)
        return self._answer_other(scope, exchange)

    async def _track(self, route: Route, scope: Scope, exchange: Exchange) -> None:
        headers = scope.headers
        budget: Budget | None = None
        held = 0
        try:
            header_key = key_in_header(headers.get("authorization"))
            try:
                body = await self._intake.read(exchange, headers)
                held = len(body)
                accepted = accept(route, body, header_key)
            except SenderError as error:
                accepted = refuse(error, header_key)
            budget = await self._keeper.keep(route, accepted, scope, headers)
            answer = _answer_to(accepted, budget)
        except (Exception, asyncio.CancelledError) as error:
            answer = _answer_to_trouble(error)
        finally:
            self._intake.release(held)
        self._say(exchange, answers.origin_in(headers), answer, budget)

    async def _answer_other(self, scope: Scope, exchange: Exchange) -> None:
        headers = scope.headers
        origin = answers.origin_in(headers)
        if scope.method == "OPTIONS":
            self._tally.statuses[204] += 1
            exchange.response_empty(204, answers.preflight(origin, headers.get("access-control-request-headers")))
            return
        try:
            answer = await self._find_answer(scope, headers, exchange)
        except (Exception, asyncio.CancelledError) as error:
            answer = _answer_to_trouble(error)
        if answer is not None:
            self._say(exchange, origin, answer)

    async def _find_answer(self, scope: Scope, headers: Headers, exchange: Exchange) -> Answer | None:
        """The JSON answer to anything but a call; None when it was answered with an image or a script."""
        method = scope.method
        route = find(scope.path)
        if route is None:
            return answers.NOT_FOUND
        if route.form == "health" and method in ("GET", "HEAD"):
            spilling = self._spilling is not None and self._spilling()
            return answers.health(self._keeper.healthy, draining=self.draining, spilling=spilling)
        if route.form == "script" and method in ("GET", "HEAD"):
            return self._show_script(route, headers, exchange)
        if method == "HEAD":
            return answers.SUCCEEDED
        if method != route.method:
            return answers.wrong_method(route.method)
        match route.form:
            case "pixel":
                return await self._show_pixel(route, scope, headers, exchange)
            case "metrics":
                await self._intake.discard(exchange)
                return answers.SUCCEEDED
            case _:
                return self._sdk_settings(route.key, scope, headers)

    async def _show_pixel(self, route: Route, scope: Scope, headers: Headers, exchange: Exchange) -> None:
        query = scope.query_string
        header_key = key_in_header(headers.get("authorization"))
        try:
            accepted = accept(route, pixel.read_pixel(query), header_key)
        except SenderError as error:
            accepted = refuse(error, header_key, query.encode())
        if not accepted.write_key:
            accepted = msgspec.structs.replace(accepted, write_key=pixel.key_beside_data(query))
        try:
            budget = await self._keeper.keep(route, accepted, scope, headers)
            kept = budget is None or not budget.spent
        except Unavailable:
            kept = False
        except Exception:
            _log.exception("A pixel met a fault")
            kept = False
        self._tally.lost_pixels += not kept
        self._tally.statuses[200] += 1
        exchange.response_bytes(200, answers.image_headers(answers.origin_in(headers)), pixel.GIF)

    def _sdk_settings(self, write_key: str, scope: Scope, headers: Headers) -> Answer:
        if self._keeper.source(write_key) is None:
            return answers.UNKNOWN_KEY
        host, scheme = headers.get("host"), scope.scheme
        if self._proxies.trusts(plain_address(scope.client)):
            host = headers.get("x-forwarded-host") or host
            scheme = headers.get("x-forwarded-proto") or scheme
        protocol, api_host = public_address(self._settings.public_url, host, scheme)
        document = settings_document(write_key, protocol, api_host)
        return answers.document(
            document.body,
            document.etag,
            max_age=self._settings.settings_max_age_seconds,
            known=headers.get("if-none-match"),
        )

    def _show_script(self, route: Route, headers: Headers, exchange: Exchange) -> Answer | None:
        if route.file not in FILES:
            return answers.NOT_FOUND
        if self._keeper.source(route.key) is None:
            return answers.UNKNOWN_KEY
        status, lines, body = script_answer(
            script(route.file),
            route.version,
            known=headers.get("if-none-match"),
            accepted=headers.get("accept-encoding"),
        )
        self._tally.statuses[status] += 1
        exchange.response_bytes(status, lines, body)
        return None

    def _say(self, exchange: Exchange, origin: str | None, answer: Answer, budget: Budget | None = None) -> None:
        self._tally.statuses[answer.status] += 1
        headers = answers.json_headers(origin, budget)
        exchange.response_bytes(answer.status, [*headers, *answer.extra] if answer.extra else headers, answer.body)


def _answer_to(accepted: Accepted, budget: Budget | None) -> Answer:
    if budget is not None and budget.spent:
        return answers.throttled(budget)
    if accepted.error is not None:
        return answers.failure(accepted.error)
    return answers.SUCCEEDED


def _answer_to_trouble(error: BaseException) -> Answer:
    """What is said when a request could not be dealt with; nobody may be left to hear it."""
    match error:
        case HeadwaterError():
            return answers.failure(error)
        case asyncio.CancelledError():
            return answers.TOO_SLOW
        case ProtocolClosed() | ProtocolError():
            return answers.GONE
        case _:
            _log.error("A request met a fault", exc_info=error)
            return answers.BROKEN
