"""The application: who asks, whether they may, and the answer as JSON. It is on the port of the operations."""

from __future__ import annotations

import logging
import secrets
import time
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
from headwater.manage.profile_api.door import Door, Knock
from headwater.manage.profile_api.events import compile_show, show_event
from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.space import Space
from headwater.spec.wire import encode
from headwater.store import components
from headwater.store.lookups import LookedUp
from headwater.store.space_tokens import SpaceToken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger("headwater.manage")
PATHS: Final = ("/v1/spaces", "/v1/namespaces")
"""Where it answers; the second is the older word for the first (1.1)."""


_UNKNOWN: Final = "authentication_error"
_ALWAYS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class _Said(msgspec.Struct):
    """An answer on its way; `what` names the request in metrics."""

    status: int = 200
    what: str = "unknown"
    headers: dict[str, str] = {}


class _Wanted(msgspec.Struct, frozen=True):
    """What a request asks for that is in order."""

    asked: Asked
    params: Params
    query: str


class ProfileApi:
    """A face (`manage/faces.py`)."""

    def __init__(self, front: Front) -> None:
        """`front` lends the ports of its desk."""
        self._desk = front.desk
        self._door = Door(front.desk)

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
        headers = [
            *_ALWAYS,
            (b"content-length", b"%d" % len(content)),
            (b"request-id", secrets.token_hex(16).encode()),
            *((name.lower().encode(), value.encode()) for name, value in said.headers.items()),
        ]
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def close(self) -> None:
        """Answer what was asked, and let go of the indexes."""
        await self._door.close()
        self._desk.histories.close()

    async def _answer(self, scope: Message, receive: Receive, said: _Said) -> Any:
        path = scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        deleting = deletion.is_deletion(path)
        said.what = deletion.WHAT if deleting else said.what
        method = "POST" if deleting else "GET"
        wanted = _read(scope, path) if scope["method"] == "GET" and not deleting else None
        name = wanted.asked.name if isinstance(wanted, _Wanted) and wanted.asked.what == "traits" else None
        space, token, profile = await self._admit(scope, path, name, said)
        if scope["method"] != method:
            said.headers["Allow"] = method
            raise refused(f"Only {method} is answered here.", status=405)
        if wanted is None:
            now = time.time_ns() // 1_000_000
            return await deletion.delete(self._desk, space, token, path, receive, now=now)
        if isinstance(wanted, SenderError):
            raise wanted
        said.what = wanted.asked.what
        match wanted.asked.what:
            case "traits":
                return self._traits(space, wanted, profile)
            case "events":
                return await self._events(space, wanted)
            case _:
                return await self._desk.store.read(lambda connection: _look(connection, space, wanted))

    async def _admit(
        self, scope: Message, path: str, profile: str | None, said: _Said
    ) -> tuple[Space, SpaceToken, LookedUp | None]:
        """The space whose token it is, the token, and the profile of this name, if there is one.

        Raises SenderError 401, or 429 for one that asks too often.
        """
        code = "unauthorized" if said.what == deletion.WHAT else _UNKNOWN
        authorization = next((value for key, value in scope["headers"] if key.lower() == b"authorization"), b"")
        text = read_token(authorization.decode("latin-1"), code)
        seen = await self._door.see(Knock(text, read_space(path), profile))
        if seen.token is None or seen.space is None or not seen.of_space:
            raise refused("The token is not one of this space.", code, 401)
        if seen.granted is not None:
            said.headers.update(seen.granted.headers())
            if not seen.granted.granted:
                raise refused("Too many requests a second.", "rate_limit_error", 429)
        return seen.space, seen.token, seen.profile

    def _traits(self, space: Space, wanted: _Wanted, profile: LookedUp | None) -> answers.Answer:
        found = look.check(profile, wanted.asked)
        computed = look.computed(self._desk.snapshot.current, space, found)
        url = _url(wanted.asked, found.id)
        return answers.show_traits(look.united(found.states), computed, wanted.params, url)

    async def _events(self, space: Space, wanted: _Wanted) -> answers.Answer:
        desk, asked = self._desk, wanted.asked
        span = read_span(wanted.query, time.time_ns() // 1_000_000, desk.settings.profiles.history_days)

        def find(connection: Connection) -> tuple[str, list[str]]:
            id = look.find(connection, space.id, asked)
            return id, sorted(components.component(connection, id).profiles)

        id, members = await desk.store.read(find)
        found, following = await desk.histories.page(members, span, wanted.params.limit)
        extract, related = compile_show(space), {asked.collection: id}
        shown = [show_event(entry, body, extract, related) for entry, body in found]
        return {"data": shown, "cursor": answers.cursor(_url(asked, id), following)}


def _read(scope: Message, path: str) -> _Wanted | SenderError:
    """What is asked for, or why it cannot be answered, which is told only to who may ask."""
    try:
        asked = read_path(path)
        query = scope["query_string"].decode("ascii", "replace")
        return _Wanted(asked, read_params(asked.what, query), query)
    except SenderError as error:
        return error


def _look(connection: Connection, space: Space, wanted: _Wanted) -> answers.Answer:
    asked, params = wanted.asked, wanted.params
    id = look.find(connection, space.id, asked)
    match asked.what:
        case "external_ids":
            found = components.component(connection, id)
            return answers.show_external_ids(found, space.id, params, _url(asked, id))
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
