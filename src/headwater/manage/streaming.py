"""A stream operation's answers on their way out: as server-sent events, or as frames of a WebSocket.

Whoever reads slowly is waited for: the next answer is made when the last is on its way, so nothing piles up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Protocol

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from headwater.spec.errors import SenderError
from headwater.spec.wire import encode

_SEND_BYTES = 65_536
Socket = WebSocket[Any, Any, Any]


class Tailed(Protocol):
    """What a stream yields: an event with its place, a notice, or a sign of life (`idle`)."""

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str | None: ...


class Part(Protocol):
    """A part of a text that an operation gives: whole lines."""

    @property
    def lines(self) -> str: ...


Answers = AsyncGenerator[Tailed, None]
Parts = AsyncGenerator[Part, None]


async def begun(answers: Answers) -> Tailed:
    """The first answer, which says that the request is good. Raises what the operation refuses it with."""
    return await anext(answers)


async def frames(first: Tailed, answers: Answers) -> AsyncGenerator[bytes]:
    """Server-sent events; a comment is a sign of life.

    What comes at once leaves at once, up to a sign of life or some size: sending costs more than all else. It ends
    when the reader may hear no more, as it does when the house stops; whoever asks again is told why.
    """
    yield _frame(first)
    held: list[bytes] = []
    size = 0
    with suppress(SenderError):
        async with aclosing(answers):
            async for answer in answers:
                if answer.kind == "idle" and held:
                    frame = b""
                else:
                    frame = _frame(answer)
                    held.append(frame)
                size += len(frame)
                if answer.kind == "idle" or size > _SEND_BYTES:
                    yield b"".join(held)
                    held, size = [], 0
    if held:
        yield b"".join(held)


async def whole(first: Part, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[bytes]:
    """A text as its parts come. When one fails the connection breaks off, so that nobody takes a part for the whole."""
    yield first.lines.encode()
    async with aclosing(parts):
        async for part in parts:
            yield part.lines.encode()


def _frame(answer: Tailed) -> bytes:
    if answer.kind == "idle":
        return b": idle\n\n"
    place = f"id: {answer.id}\n" if answer.id else ""
    return f"{place}event: {answer.kind}\ndata: ".encode() + encode(answer) + b"\n\n"


async def listen(socket: Socket, answers: Answers) -> None:
    """Send answers until they end or the client leaves; what the client sends is ignored."""
    leaving = asyncio.create_task(_left(socket))
    try:
        async with aclosing(answers):
            async for answer in answers:
                if leaving.done():
                    return
                if answer.kind != "idle":
                    await socket.send_data(encode(answer).decode())
        await socket.close(code=1001, reason="Headwater is stopping.")
    finally:
        leaving.cancel()


async def _left(socket: Socket) -> None:
    try:
        while True:
            await socket.receive_data("text")
    except WebSocketDisconnect:
        return
