"""The only way out: one pool of connections for all destinations, and the guard that stands at it.

A host is resolved once for a connection, and every address that it resolves to must be permitted (`addresses.py`);
literal addresses in a URL are judged before, and the socket's own address once more when it is made. Redirects are
followed only as often as a request allows, and each is a request like any other; cookies are not kept, proxies of the
environment not used, certificates checked. An answer is read as far as its request says, usually 64 KB.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from yarl import URL

from headwater.deliver.addresses import Network, networks, permitted
from headwater.deliver.redirect import redirected
from headwater.spec.destination import NoAnswer, Response

if TYPE_CHECKING:
    from types import TracebackType

    from headwater.spec.destination import Request

_LARGE_BYTES = 65_536
"""From so many bytes on a body is sent as it lies in memory, beside the head of its request and not joined with it."""

_AT_ONCE = 1_048_576
"""So much of a body is given to the system at a time."""

_REFUSED = "The address is private; an operator can allow it with the setting deliver.allowed_addresses."


class PrivateAddress(OSError):
    """A destination is at an address where it may not be."""

    def __init__(self) -> None:
        super().__init__(_REFUSED)


class Transport:
    """Makes requests. Open it with `async with`; it keeps connections between requests."""

    def __init__(self, allowed_addresses: Sequence[str] = ()) -> None:
        """`allowed_addresses` are networks in CIDR form. Raises SetupError for what is none."""
        self._allowed = networks(allowed_addresses)
        self._session: aiohttp.ClientSession | None = None
        self._admit = lru_cache(maxsize=4_096)(self._read)
        self._permitted = lru_cache(maxsize=4_096)(partial(permitted, allowed=self._allowed))

    async def __aenter__(self) -> Transport:
        _allow_many_files()
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self._allowed),
            socket_factory=self._socket,
            limit=0,
            ttl_dns_cache=10,
            keepalive_timeout=15.0,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("User-Agent",),
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(self, request: Request) -> Response:
        """Make one request and read its answer. Raises NoAnswer when there is none, or none that is whole.

        A redirect that may not be followed is an answer. The time-out is for all of it.
        """
        until = time.monotonic() + request.timeout
        response = await self._once(request)
        for _ in range(request.redirects):
            following = redirected(request, response)
            if following is None:
                break
            request = msgspec.structs.replace(following, timeout=max(until - time.monotonic(), 0.001))
            response = await self._once(request)
        return response

    async def _once(self, request: Request) -> Response:
        assert self._session is not None, "The transport is not open."
        url, credentials = self._admit(request.url)
        headers = request.headers if credentials is None else {"Authorization": credentials, **request.headers}
        body = request.body
        try:
            async with self._session.request(
                request.method,
                url,
                data=body if len(body) < _LARGE_BYTES else _Large(body),
                headers=headers,
                allow_redirects=False,
                timeout=_timeout(request.timeout),
            ) as answer:
                return Response(answer.status, _headers(answer), await _read(answer, request.most))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, UnicodeError) as error:
            raise _silence(_freed(error), request.timeout) from None

    def _read(self, text: str) -> tuple[URL, str | None]:
        """A URL fit to be used, and its user and password as a header. Raises NoAnswer for any other."""
        url, credentials = _read_url(text)
        if _is_address(url) and not permitted(url.host or "", self._allowed):
            raise NoAnswer("PRIVATE_ADDRESS", _REFUSED)
        return url, credentials

    def _socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._permitted(str(address[0])):
            raise PrivateAddress
        return socket.socket(family=family, type=kind, proto=protocol)


class _Large(aiohttp.Payload):
    """A large body. The client library would copy it once more to send it."""

    _autoclose = True

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        writer.send_headers()
        body = memoryview(self._value)
        for start in range(0, len(body), _AT_ONCE):
            await writer.write(body[start : start + _AT_ONCE])


class _GuardedResolver(AbstractResolver):
    """Resolves as the system does, and refuses a name with any address that is not permitted."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(permitted(each["host"], self._allowed) for each in found):
            raise PrivateAddress
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may: a thousand destinations keep more connections open
    than the usual 1,024, and a connection that cannot be opened would look like a destination that is away.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _read_url(text: str) -> tuple[URL, str | None]:
    """The URL without its user and password, and these as a header. Raises NoAnswer for what is no http address."""
    try:
        url = URL(text)
        host, port = url.host, url.port
    except (ValueError, UnicodeError):
        raise NoAnswer("INVALID_SETTINGS", "The address is not a URL.") from None
    if url.scheme not in ("http", "https") or not host or not port:
        raise NoAnswer("INVALID_SETTINGS", "The address must be a whole http or https URL.")
    if url.user is None and url.password is None:
        return url.with_fragment(None), None
    credentials = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
    return url.with_user(None).with_fragment(None), f"Basic {credentials}"


def _is_address(url: URL) -> bool:
    """Is the host a number, in whatever spelling the system would read one, and not a name?"""
    host = (url.host or "").rstrip(".")
    if ":" in host:
        return True
    last = host.rsplit(".", 1)[-1]
    return last.isdigit() or last.lower().startswith("0x")


@lru_cache(maxsize=64)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The body up to so many bytes; of a longer one the rest is not awaited and its connection not used again."""
    parts: list[bytes] = []
    left = most
    while left > 0:
        part = await answer.content.read(left)
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    if not answer.content.at_eof():
        answer.close()
    return b"".join(parts)


def _freed(error: Exception) -> Exception:
    """The error, without where it came from. The client's frames hold their errors, and errors their frames: each
    connection that is refused would leave some 80 objects to the collector, and all deliveries wait while it works.
    """
    following: BaseException | None = error
    while following is not None and following.__traceback__ is not None:
        following.__traceback__ = None
        following = following.__cause__ or following.__context__
    return error


def _silence(error: Exception, timeout: float) -> NoAnswer:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PrivateAddress) or _REFUSED in str(cause):
        return NoAnswer("PRIVATE_ADDRESS", _REFUSED)
    if isinstance(error, TimeoutError):
        return NoAnswer("TIMEOUT", f"No whole answer within {timeout:g} seconds.")
    if isinstance(error, aiohttp.InvalidURL) or not isinstance(error, aiohttp.ClientError | OSError):
        return NoAnswer("INVALID_SETTINGS", "The request cannot be made; its address or a header is unusable.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return NoAnswer("UNREACHABLE", f"The destination's certificate is not accepted: {cause}")
    return NoAnswer("UNREACHABLE", f"{type(cause).__name__}: {cause}"[:300])
