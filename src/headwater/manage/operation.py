"""What an operation is: a typed function, found by its name.

A module of `manage/operations` declares one so:

    @operation("POST", "/sources", scope="sources:write", status=201, tag="Sources")
    async def create_source(desk: Desk, request: CreateSource) -> CreateSourceAnswer:
        \"\"\"Create a source with its first write key.\"\"\"

Fields of the request that the path names come from the path; the rest come from the query for GET and DELETE, and from
the JSON body otherwise. The answer is the content of `data`. A stream operation is an async generator of answers.

An operation that `takes` a kind of text, such as `text/csv`, gets the body as it comes as its third argument, and all
other fields from the query. One that `gives` a kind of text is an async generator of its parts.

A scope of `ANY_CALLER` asks for a valid token or session and nothing more. What is declared `open=True` needs not even
that: it is how one gets a session.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import msgspec

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Run = Callable[..., Awaitable[Any]] | Callable[..., AsyncGenerator[Any, None]]
Chunks = AsyncIterable[bytes]
"""A body as it comes, piece by piece."""

F = TypeVar("F", bound=Run)
ANY_CALLER = ""
"""The scope of what everybody may do who may do anything."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked. `name` is in snake case; `path` holds its parameters as `{sourceId}`.

    `status` is that of success. `changes` says that it changes something and is therefore audited; `stream` that its
    answers come one by one for as long as the caller listens; `open` that it needs no token; `takes` what kind of text
    its body is, if that is no JSON, and `most_bytes` how long it may be then; `gives` what kind of text its answer
    is, of which every part has `lines`.
    """

    name: str
    method: Method
    path: str
    scope: str
    status: int
    tag: str
    sentence: str
    request: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    run: Run
    changes: bool
    stream: bool
    open: bool = False
    takes: str = ""
    most_bytes: int = 0
    gives: str = ""

    @property
    def needs(self) -> str:
        """What a caller must have, in words."""
        if self.open:
            return "no token"
        return f"scope {self.scope}" if self.scope else "any token"

    @property
    def wire_name(self) -> str:
        """The name in Segment's spelling: `create_source` is `createSource`."""
        first, *others = self.name.split("_")
        return first + "".join(word.capitalize() for word in others)

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The wire names of the request's fields that the path holds."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
    def reads_body(self) -> bool:
        """Do the fields outside the path come from the body (and not from the query)?"""
        return self.method not in {"GET", "DELETE"} and not self.takes


_registry: dict[str, Operation] = {}
REGISTRY = MappingProxyType(_registry)
"""What has been declared so far; `manage.operations.OPERATIONS` is the same once every module is loaded."""


def operation(
    method: Method,
    path: str,
    *,
    scope: str,
    tag: str,
    status: int = 200,
    changes: bool | None = None,
    open: bool = False,
    takes: str = "",
    most_bytes: int = 0,
    gives: str = "",
) -> Callable[[F], F]:
    """Declare a function as an operation. Unless told otherwise, what is not a GET changes something."""

    def declare(run: F) -> F:
        hints = get_type_hints(run)
        parts = inspect.isasyncgenfunction(run)
        declared = Operation(
            name=run.__name__,
            method=method,
            path=path,
            scope=scope,
            status=status,
            tag=tag,
            sentence=inspect.cleandoc(run.__doc__ or ""),
            request=hints["request"],
            answer=get_args(hints["return"])[0] if parts else hints["return"],
            run=run,
            changes=method != "GET" if changes is None else changes,
            stream=parts and not gives,
            open=open,
            takes=takes,
            most_bytes=most_bytes,
            gives=gives,
        )
        if declared.name in _registry:
            raise ValueError(f"There are two operations named {declared.name}.")
        _registry[declared.name] = declared
        return run

    return declare
