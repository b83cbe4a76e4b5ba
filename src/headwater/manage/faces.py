"""Other applications on the same port: a face answers everything below its path, over the same front desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Protocol

from headwater.manage.front import Front

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Face(Protocol):
    """An ASGI application that can be closed."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None: ...

    async def close(self) -> None: ...


Faces = Mapping[str, Callable[[Front], Face]]
"""What makes each face, by the path below which it answers, such as `/console`."""

NO_FACES: Faces = MappingProxyType({})


def beside(main: Application, faces: Mapping[str, Application]) -> Application:
    """One application that hands requests to the face whose path they are below, and to `main` otherwise."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            for path, face in faces.items():
                if scope["path"] == path or scope["path"].startswith(f"{path}/"):
                    await face(scope, receive, send)
                    return
        await main(scope, receive, send)

    return application
