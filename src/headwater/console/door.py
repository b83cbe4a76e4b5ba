"""The door between the web server and the console, which is loaded only when the first browser comes.

The page framework takes about 50 MB and half a second. A house that nobody looks at goes without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from headwater.manage.front import Front

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """An ASGI application: the console, from the first request on."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._inside: Application | None = None
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a WebSocket below /console."""
        inside = self._inside or await self._enter()
        await inside(scope, receive, send)

    async def _enter(self) -> Application:
        async with self._opening:
            if self._inside is not None:
                return self._inside
            web = await asyncio.to_thread(import_module, "headwater.console.web")
            inside: Application = await self._open.enter_async_context(web.console(self._front))
            self._inside = inside
            return inside

    async def close(self) -> None:
        """Let go of every page that is open."""
        await self._open.aclose()
