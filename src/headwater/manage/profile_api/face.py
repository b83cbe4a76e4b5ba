"""The application: who asks, whether they may, and the answer as JSON. It is on the port of the operations."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater import telemetry
from headwater.manage.faces import Message, Receive, Send
from headwater.manage.front import Front
from headwater.manage.profile_api import answers, deletion, look
from headwater.manage.profile_api.asked import (
    Asked,
    Params,
    read_params,
    read_path,
    read_space,
    read_span,
    read_token,
    refused,
)
from headwater.manage.profile_api.events import compile_show, show_event
from headwater.manage.profile_api.pace import Pace
from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.space import Space
from headwater.spec.wire import encode
from headwater.spec.workspace import Workspace
from headwater.store import components, space_tokens
from headwater.store.space_tokens import SpaceToken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger("headwater.manage")
PATHS: Final = ("/v1/spaces", "/v1/namespaces")
"""Where it answers; the second is the older word for the first (1.1)."""


_UNKNOWN: Final = "authentication_error"


class _Said(msgspec.Struct):
    """An answer on its way; `what` names the request in metrics."""

    status: int = 200
    what: str = "unknown"
    headers: dict[str, str] = {}


class ProfileApi:
    """A face (`manage/faces.py`)."""

    def __init__(self, front: Front) -> None:
        """`front` lends the ports of its desk."""
        self._desk = front.desk
        self._pace = Pace(front.desk.settings.profiles.requests_per_second)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        said = _Said()
        try:
            body = await self._answer(scope, receive, said)
        except Exception as error:
            body = _refuse(error, said)
        telemetry.MANAGE_REQUESTS.labels(f"profile_api_{said.what}", str(said.status)).inc()
        content = encode(body)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Request-Id": uuid.uuid4().hex,
            **said.headers,
        }
        listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": listed})
        await send({"type": "http.response.body", "body": content})

    async def close(self) -> None:
        """Let go of the indexes."""
        self._desk.histories.close()

    async def _events(self, space: Space, asked: Asked, params: Params, query: str) -> answers.Answer:
        desk = self._desk
        span = read_span(query, time.time_ns() // 1_000_000, desk.settings.profiles.history_days)

        def find(connection: Connection) -> tuple[str, list[str]]:
            id = look.find(connection, space.id, asked)
            return id, sorted(components.component(connection, id).profiles)

        id, members = await desk.store.read(find)
        found, following = await self._desk.histories.page(members, span, params.limit)
        extract, related = compile_show(space), {asked.collection: id}
        shown = [show_event(entry, body, extract, related) for entry, body in found]
        return {"data": shown, "cursor": answers.cursor(_url(asked, id), following)}

    async def _answer(self, scope: Message, receive: Receive, said: _Said) -> Any:
        path = scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        deleting = deletion.is_deletion(path)
        said.what = deletion.WHAT if deleting else said.what
        space, token = await self._admit(scope, read_space(path), said, "unauthorized" if deleting else _UNKNOWN)
        method = "POST" if deleting else "GET"
        if scope["method"] != method:
            said.headers["Allow"] = method
            raise refused(f"Only {method} is answered here.", status=405)
        if deleting:
            now = time.time_ns() // 1_000_000
            return await deletion.delete(self._desk, space, token, path, receive, now=now)
        asked = read_path(path)
        said.what = asked.what
        query = scope["query_string"].decode("ascii", "replace")
        params = read_params(asked.what, query)
        if asked.what == "events":
            return await self._events(space, asked, params, query)
        workspace = self._desk.snapshot.current
        return await self._desk.store.read(lambda connection: _look(connection, workspace, space, asked, params))

    async def _admit(self, scope: Message, name: str, said: _Said, code: str) -> tuple[Space, SpaceToken]:
        """The token, and the space whose it is. Raises SenderError 401 of a code, or 429 when it asks too often."""
        authorization = next((value for key, value in scope["headers"] if key.lower() == b"authorization"), b"")
        text = read_token(authorization.decode("latin-1"), code)
        token = await self._desk.store.read(lambda connection: space_tokens.find(connection, text))
        space = None if token is None else await self._space(token.space_id)
        if token is None or space is None or name not in (space.id, space.slug):
            raise refused("The token is not one of this space.", code, 401)
        granted = self._pace.count(space.id, time.monotonic())
        if granted is not None:
            said.headers.update(granted.headers())
            if not granted.granted:
                raise refused("Too many requests a second.", "rate_limit_error", 429)
        return space, token

    async def _space(self, space_id: str) -> Space | None:
        """A space by its id; one made a moment ago is sought once more."""
        for workspace in (self._desk.snapshot.current, None):
            for space in (workspace or await self._desk.workspace()).spaces:
                if space.id == space_id:
                    return space
        return None


def _look(connection: Connection, workspace: Workspace, space: Space, asked: Asked, params: Params) -> answers.Answer:
    id = look.find(connection, space.id, asked)
    url = _url(asked, id)
    match asked.what:
        case "traits":
            computed = look.computed(connection, workspace, space, id)
            return answers.show_traits(look.state(connection, id), computed, params, url)
        case "external_ids":
            return answers.show_external_ids(components.component(connection, id), space.id, params, url)
        case "links":
            return answers.show_links(asked.collection, look.linked(connection, id, params.limit))
        case _:
            return answers.show_metadata(components.component(connection, id), look.state(connection, id))


def _url(asked: Asked, id: str) -> str:
    return f"/v1/spaces/{asked.space}/collections/{asked.collection}/profiles/{id}/{asked.what}"


def _refuse(error: Exception, said: _Said) -> answers.Answer:
    match error:
        case SenderError():
            said.status, code, message = error.status, error.code, str(error)
        case Unavailable():
            said.status, code, message = 503, "unavailable", str(error)
            said.headers["Retry-After"] = str(max(1, round(error.retry_after)))
        case _:
            log.error("the Profile API failed", exc_info=error)
            said.status, code = 500, "internal_error"
            message = "Headwater could not answer; the error is in its log."
    return {"error": {"code": code, "message": message}}
