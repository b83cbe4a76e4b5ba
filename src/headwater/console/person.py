"""Who looks at a page, and what they may ask: operations, with the rights of their session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from headwater.manage.desk import Desk
from headwater.manage.front import Front
from headwater.manage.operation import Chunks, Operation
from headwater.manage.operations import OPERATIONS
from headwater.manage.reading import read
from headwater.manage.scopes import allows
from headwater.spec.errors import SenderError

R = TypeVar("R", bound=msgspec.Struct)
A = TypeVar("A")


class Person:
    """One signed-in person on one page. Each question is admitted anew, so a session that ended ends here too."""

    def __init__(self, front: Front, text: str, *, name: str, scopes: tuple[str, ...], zone: str) -> None:
        self._front = front
        self._headers = {"authorization": f"Bearer {text}"}
        self.name = name
        self.scopes = scopes
        self.zone = zone

    def may(self, scope: str) -> bool:
        """May this person do what needs that scope?"""
        return allows(self.scopes, scope)

    async def present(self) -> bool:
        """Is this person still signed in?"""
        try:
            await self._front.admit(OPERATIONS["get_session"], self._headers)
        except SenderError as error:
            return error.status != 401
        return True

    async def ask(self, run: Callable[[Desk, R], Awaitable[A]], request: R) -> A:
        """Ask an operation, given as its function. Raises what the operation refuses the request with."""
        operation = _declared(run)
        desk, _ = await self._front.admit(operation, self._headers)
        return await run(desk, _checked(operation, request))

    async def send(self, run: Callable[[Desk, R, Chunks], Awaitable[A]], request: R, pieces: AsyncIterator[bytes]) -> A:
        """Ask an operation that takes text, which is sent as it comes. Raises as `ask` does."""
        operation = _declared(run)
        desk, _ = await self._front.admit(operation, self._headers)
        async with aclosing(self._front.arriving(operation, self._headers, pieces)) as text:
            return await run(desk, _checked(operation, request), text)

    async def listen(self, run: Callable[[Desk, R], AsyncGenerator[A, None]], request: R) -> AsyncGenerator[A, None]:
        """The answers of a stream operation, while this person may hear them; close it when nobody looks any more."""
        operation = _declared(run)
        desk, _ = await self._front.admit(operation, self._headers)
        return self._front.listening(operation, self._headers, run(desk, _checked(operation, request)))


def _declared(run: Callable[..., Any]) -> Operation:
    operation = OPERATIONS[run.__name__]
    assert operation.run is run, f"{run.__name__} is no operation"
    return operation


def _checked(operation: Operation, request: R) -> R:
    """The request as if it had come over the wire: what a person typed is held against the same rules."""
    return read(type(request), msgspec.to_builtins(request), strict=True)
