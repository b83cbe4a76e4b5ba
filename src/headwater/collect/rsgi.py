"""The shape of what the HTTP server hands over: RSGI, as far as it is used here. Tests bring doubles of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol

HeaderList = list[tuple[str, str]]


class Headers(Protocol):
    """Request headers by lower-case name. `get` knows the first of several lines, `get_all` each of them."""

    def get(self, key: str, /) -> str | None: ...
    def get_all(self, key: str, /) -> Sequence[str]: ...


class Scope(Protocol):
    """A request's head. `path` is percent-decoded, `client` is an address with its port; `headers` is a copy."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def headers(self) -> Headers: ...


class Exchange(Protocol):
    """A request's body, whole or in chunks, and the way back. Only the first answer counts."""

    def __call__(self) -> Awaitable[bytes]: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_bytes(self, status: int, headers: HeaderList, body: bytes, /) -> None: ...
    def response_empty(self, status: int, headers: HeaderList, /) -> None: ...
