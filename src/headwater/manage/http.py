"""The HTTP application: one route an operation, read off the registry, and the few pages that need no token."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from functools import cache
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, route, websocket
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from headwater import telemetry
from headwater.manage import pages
from headwater.manage.desk import Desk
from headwater.manage.front import Front, request_of
from headwater.manage.health import health
from headwater.manage.limits import Allowance
from headwater.manage.openapi import document
from headwater.manage.operation import Operation
from headwater.manage.problems import Problem, Refused, explain, word
from headwater.manage.streaming import Answers, Parts, begun, frames, listen, whole
from headwater.spec.errors import SenderError
from headwater.spec.wire import encode

log = logging.getLogger("headwater.manage")
MAX_BODY_BYTES = 1_000_000
BODY_SECONDS = 30.0
"""Who may do something is decided before the body is there; later than this the decision is too old."""

_FIELD = re.compile(r"\{\w+\}")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

AnyRequest = Request[Any, Any, Any]
AnyResponse = Response[Any]


def application(front: Front, operations: Mapping[str, Operation]) -> Litestar:
    """The ASGI application over the operations of one house."""
    desk = front.desk

    @cache
    def described() -> bytes:
        return encode(document(operations))

    @get("/openapi.json", name="openapi")
    async def openapi() -> Response[bytes]:
        return Response(described(), media_type=MediaType.JSON)

    @get("/docs", name="docs")
    async def docs() -> Response[str]:
        return _page(pages.docs(operations))

    @get("/metrics", name="metrics")
    async def metrics() -> Response[bytes]:
        body, media = telemetry.exposition()
        return Response(body, media_type=media)

    @get("/health", name="health")
    async def healthy() -> Response[bytes]:
        report = await health(desk)
        return Response(encode(report), status_code=200 if report.ok else 503, media_type=MediaType.JSON)

    @get("/ready", name="ready")
    async def ready() -> Response[bytes]:
        report = await health(desk)
        well = report.ok and not desk.stopping.is_set()
        return Response(encode(report), status_code=200 if well else 503, media_type=MediaType.JSON)

    return Litestar(
        route_handlers=[
            openapi,
            docs,
            metrics,
            healthy,
            ready,
            *(_route(front, one, _template(one, operations)) for one in operations.values()),
            *(_socket(front, operation) for operation in operations.values() if operation.stream),
        ],
        openapi_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        exception_handlers={Exception: _refuse},
        logging_config=None,
    )


def _template(operation: Operation, operations: Mapping[str, Operation]) -> str:
    """The path in Litestar's form. A last field takes slashes too, unless another path goes on behind it."""
    path = operation.path
    for field in operation.path_fields:
        path = path.replace(f"{{{field}}}", f"{{{field}:str}}")
    behind = f"{_FIELD.sub('{}', operation.path)}/"
    alone = not any(_FIELD.sub("{}", one.path).startswith(behind) for one in operations.values())
    return f"{path.removesuffix(':str}')}:path}}" if alone and path.endswith(":str}") else path


def _route(front: Front, operation: Operation, path: str) -> HTTPRouteHandler:
    async def answer(request: AnyRequest) -> AnyResponse:
        status = 500
        try:
            desk, allowance = await front.admit(operation, request.headers)
            response = await _answer(front, operation, desk, allowance, request)
            status = response.status_code or operation.status
            return response
        except Exception as error:
            response = _refusal(error, operation.name)
            status = response.status_code or 500
            return response
        finally:
            telemetry.MANAGE_REQUESTS.labels(operation.name, str(status)).inc()

    return route(
        path,
        http_method=[operation.method],
        name=operation.name,
        status_code=operation.status,
        request_max_body_size=operation.most_bytes or MAX_BODY_BYTES,
    )(answer)


async def _answer(
    front: Front, operation: Operation, desk: Desk, allowance: Allowance | None, request: AnyRequest
) -> AnyResponse:
    query = _query(request.scope)
    path = _path(operation, request.scope["raw_path"])
    headers = {**_HEADERS, **(allowance.headers() if allowance else {})}
    if operation.stream:
        asked = request_of(operation, path, query, extra=_resumed(request.headers))
        events = front.listening(operation, request.headers, cast("Answers", operation.run(desk, asked)))
        return Stream(
            frames(await begun(events), events),
            status_code=operation.status,
            media_type="text/event-stream",
            headers=headers,
        )
    if operation.gives:
        asked = request_of(operation, path, query)
        parts = front.listening(operation, request.headers, cast("Parts", operation.run(desk, asked)))
        return Stream(
            whole(await anext(parts), parts),
            status_code=operation.status,
            media_type=operation.gives,
            headers=headers,
        )
    if operation.takes:
        asked = request_of(operation, path, query)
        pieces = _pieces(operation, request)
        async with aclosing(pieces), aclosing(front.arriving(operation, request.headers, pieces)) as text:
            answer = await cast("Awaitable[Any]", operation.run(desk, asked, text))
        return Response(
            encode({"data": answer}), status_code=operation.status, media_type=MediaType.JSON, headers=headers
        )
    body = await _body(request) if operation.reads_body else b""
    answer = await cast("Awaitable[Any]", operation.run(desk, request_of(operation, path, query, body)))
    content = encode({"data": answer})
    return Response(content, status_code=operation.status, media_type=MediaType.JSON, headers=headers)


async def _body(request: AnyRequest) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise SenderError("The body did not arrive in time.", code="request_timeout", status=408) from None


async def _pieces(operation: Operation, request: AnyRequest) -> AsyncGenerator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except HTTPException as error:
        if error.status_code != 413:
            raise SenderError("The request was broken off.") from None
        said = f"The body is longer than {operation.most_bytes:,} bytes."
        raise SenderError(said, code="payload_too_large", status=413) from None


def _socket(front: Front, operation: Operation) -> Any:
    @websocket(operation.path.rpartition("/")[0] + "/socket", name=f"{operation.name}_socket")
    async def socket(socket: WebSocket[Any, Any, Any]) -> None:
        try:
            desk, _ = await front.admit(operation, socket.headers)
            asked = request_of(operation, {}, _query(socket.scope))
            events = front.listening(operation, socket.headers, cast("Answers", operation.run(desk, asked)))
            await begun(events)
        except Exception as error:
            await _close(socket, error, operation.name)
            return
        await socket.accept()
        try:
            await listen(socket, events)
        except WebSocketDisconnect:
            return
        except Exception as error:
            await _close(socket, error, operation.name)

    return socket


async def _close(socket: WebSocket[Any, Any, Any], error: Exception, name: str) -> None:
    status, problems, _ = explain(error)
    if status >= 500:
        log.error("%s failed", name, exc_info=error)
    if socket.connection_state == "init":
        await socket.accept()
    await socket.send_data(encode({"errors": problems}))
    await socket.close(code=1008 if status < 500 else 1011, reason=problems[0].message[:100])


def _path(operation: Operation, raw: bytes) -> dict[str, str]:
    """The fields in the path, from its undecoded form: in the decoded one, a field's own slashes are lost."""
    parts = operation.path.split("/")
    pairs = zip(parts, raw.decode("ascii", "replace").split("/", len(parts) - 1), strict=False)
    return {part[1:-1]: unquote(value) for part, value in pairs if part.startswith("{")}


def _query(scope: Any) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)


def _resumed(headers: Mapping[str, str]) -> dict[str, str]:
    last = headers.get("last-event-id")
    return {"lastEventId": last} if last else {}


def _refuse(_request: AnyRequest, error: Exception) -> AnyResponse:
    """What ends before an operation: unknown paths and methods, and the failures of pages."""
    return _refusal(error, "a request")


def _refusal(error: Exception, name: str) -> AnyResponse:
    headers = dict(_HEADERS)
    if isinstance(error, HTTPException):
        headers |= dict(error.headers or {})
        error = _in_our_words(error)
    status, problems, extra = explain(error)
    if status >= 500 and not isinstance(error, Refused):
        log.error("%s failed", name, exc_info=error)
    body = encode({"errors": problems})
    return Response(body, status_code=status, media_type=MediaType.JSON, headers={**headers, **extra})


def _in_our_words(error: HTTPException) -> Refused:
    message = "There is nothing at this path." if error.status_code == 404 else error.detail
    return Refused([Problem(word(error.status_code), message)], status=error.status_code)


def _page(content: str) -> Response[str]:
    policy = {"Content-Security-Policy": pages.POLICY, "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
    return Response(content, media_type=MediaType.HTML, headers={**_HEADERS, **policy})
