"""The front desk: who asks, whether they may, and what they ask for. Nothing here knows the web framework."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeVar, cast

import msgspec

from headwater.manage import scopes
from headwater.manage.desk import NOBODY, Caller, Desk
from headwater.manage.limits import Allowance, Meter
from headwater.manage.operation import Operation
from headwater.manage.problems import Problem, Refused
from headwater.manage.reading import read, unfold
from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.wire import JSON, decode
from headwater.store import tokens

A = TypeVar("A")
LOOK_SECONDS = 5.0
"""So often is asked whether whoever listens to a stream still may."""

PIECE_SECONDS = 30.0
TEXT_SECONDS = 900.0
"""A long body may take this long, and be silent for so long."""

_VENDOR = "application/vnd.segment."
_VERSIONS = {"v1", "v1beta", "v1alpha", "stable", "beta", "alpha"}


class Front:
    """Admits requests to the operations of one house."""

    def __init__(self, desk: Desk) -> None:
        """`desk` holds the ports; each request gets a copy with its caller and instant."""
        self.desk = desk
        self._meter = Meter(desk.settings.manage.requests_per_minute)

    async def admit(self, operation: Operation, headers: Mapping[str, str]) -> tuple[Desk, Allowance | None]:
        """The desk for one request. Raises SenderError when it is not allowed (1, 3, 6), with status 401 or 429."""
        now = time.time_ns() // 1_000_000
        caller, allowance = NOBODY, None
        if not operation.open:
            caller = await self._caller(headers.get("authorization", ""), now)
            allowance = self._meter.count(caller.actor, now)
            if allowance is not None and not allowance.granted:
                raise Refused([_too_many(allowance, now)], status=429)
            scopes.check(caller, operation)
        _check_accept(headers.get("accept", ""))
        return dataclasses.replace(self.desk, caller=caller, now=now), allowance

    async def listening(
        self, operation: Operation, headers: Mapping[str, str], answers: AsyncGenerator[A, None]
    ) -> AsyncGenerator[A, None]:
        """The answers of a stream, until whoever was admitted to it may hear no more of them.

        Raises SenderError 401 then: a stream may last for days, and a role, a token or a session end sooner.
        """
        looked = time.monotonic()
        async with aclosing(answers):
            async for answer in answers:
                if time.monotonic() - looked >= LOOK_SECONDS:
                    with suppress(Unavailable):  # nobody takes anything back while the store is away
                        await self.still(operation, headers)
                    looked = time.monotonic()
                yield answer

    async def arriving(
        self, operation: Operation, headers: Mapping[str, str], pieces: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        """A long body as it comes, which ends only if whoever was admitted may still do this.

        Raises SenderError 408 for one that takes too long, and 401.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + TEXT_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(min(until, loop.time() + PIECE_SECONDS)):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise SenderError("The body did not arrive in time.", code="request_timeout", status=408) from None
            if piece is None:
                await self.still(operation, headers)
                return
            yield piece

    async def still(self, operation: Operation, headers: Mapping[str, str]) -> None:
        """Raises SenderError 401 when whoever was admitted may not do this any more: a long body takes its time."""
        caller = await self._caller(headers.get("authorization", ""), time.time_ns() // 1_000_000)
        scopes.check(caller, operation)

    async def _caller(self, authorization: str, now: int) -> Caller:
        text = _bearer(authorization)
        token = await self.desk.store.read(lambda connection: tokens.find_token(connection, text, now))
        if token is None:
            raise SenderError("The token is unknown, or has expired.", code="unauthorized", status=401)
        return Caller.of(token)


def request_of(
    operation: Operation,
    path: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    body: bytes = b"",
    extra: Mapping[str, JSON] | None = None,
) -> msgspec.Struct:
    """The operation's request from the parts of an HTTP request. Raises Refused with all that is wrong."""
    if not operation.reads_body:
        given = {**unfold(query), **(extra or {}), **path}
        return read(operation.request, given, strict=False)
    content = decode(body) if body.strip() else {}
    if not isinstance(content, dict):
        raise Refused([Problem("input-validation", "The body must be a JSON object.")])
    return read(operation.request, {**cast("dict[str, Any]", content), **path}, strict=True)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise SenderError(
            "A token is needed, in the form of the header `Authorization: Bearer <token>`.",
            code="unauthorized",
            status=401,
        )
    return token.strip()


def _check_accept(accept: str) -> None:
    """Both spellings of Segment's media types are answered, whatever the version; one that never was is 404 (2)."""
    for wanted in accept.split(","):
        media = wanted.partition(";")[0].strip().lower()
        if media.startswith(_VENDOR) and media.removeprefix(_VENDOR).removesuffix("+json") not in _VERSIONS:
            raise SenderError(f"There is no version {media}.", code="not_found", status=404)


def _too_many(allowance: Allowance, now: int) -> Problem:
    data = {
        "remainingPoints": allowance.remaining,
        "msBeforeNext": allowance.resets_at - now,
        "consumedPoints": allowance.consumed,
    }
    return Problem("RequestError", "Too many requests", data=data)
