"""NATS: publishes to JetStream, and waits until the stream has stored what it was given.

An event's messageId goes along as `Nats-Msg-Id`, so the stream drops what it had within its window of duplicates. An
event counts as delivered only when the server has acknowledged it. Servers that the cluster tells of are not followed:
the connection is to the addresses of the settings, and is opened anew when it breaks. Credentials are only told to a
server that speaks TLS, if the owner wants TLS.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from headwater.spec.destination import Failed, Guard, Item, NoAnswer, Result
from headwater.spec.errors import SetupError
from headwater.spec.places import namer

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_SCHEMES: Final = {"nats": False, "tls": True}
_OPEN_SECONDS: Final = 10
_ACK_SECONDS: Final = 20.0
_LOST: Final = "The connection was lost."
_SILENT: Final = Failed("The server did not acknowledge it.", again=True)
_OTHER_STREAM: Final = 10060
_NO_TLS: Final = "The server offers no TLS, so nothing was sent."


class _Noting(ssl.SSLContext):
    """Notes whether it was used: a server that offers no TLS would get what was meant to be sent with it."""

    used = False

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        self.used = True
        return super().wrap_bio(*arguments, **named)


class Ack(msgspec.Struct, frozen=True):
    """What JetStream answers to a publishing: where it stored the event, or why it did not."""

    stream: str = ""
    seq: int = 0
    error: Refusal | None = None


class Refusal(msgspec.Struct, frozen=True):
    """The error of an answer."""

    code: int = 500
    err_code: int = 0
    description: str = ""


class JetStream:
    """An open connection, whose answers come to one inbox."""

    def __init__(self, client: Client, settings: dict[str, Any]) -> None:
        self._client = client
        self._subject = namer(settings["subject"])
        self._stream: str = settings.get("stream") or ""
        self._inbox = client.new_inbox()
        self._asked: dict[str, asyncio.Future[Failed | None]] = {}
        self._count = 0
        self._lost: NoAnswer | None = None

    async def listen(self) -> None:
        """Be told what the server answers."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._heard)

    async def write(self, items: Sequence[Item]) -> Result:
        """Publish the items, and wait until each is acknowledged, the connection is lost, or time is over."""
        asked = [await self._publish(item) for item in items]
        _, silent = await asyncio.wait(asked, timeout=_ACK_SECONDS)
        for future in silent:
            future.cancel()
        if len(silent) == len(items):
            raise NoAnswer("TIMEOUT", _SILENT.detail)
        found = [_SILENT if future in silent else future.result() for future in asked]
        failed = {index: why for index, why in enumerate(found) if why is not None}
        if self._lost is not None and len(failed) == len(items):
            raise self._lost
        return failed or None

    async def close(self) -> None:
        """Close the connection."""
        self.lose("The connection was closed.")
        await self._client.close()

    def lose(self, detail: str, reason: str = "UNREACHABLE") -> None:
        """The connection is gone, or not permitted to publish: nothing more will be acknowledged."""
        self._lost = self._lost or NoAnswer(reason, detail)
        for future in list(self._asked.values()):
            if not future.done():
                future.set_result(Failed(detail, again=True))

    async def _publish(self, item: Item) -> asyncio.Future[Failed | None]:
        from nats.errors import ConnectionClosedError, MaxPayloadError

        future: asyncio.Future[Failed | None] = asyncio.get_running_loop().create_future()
        self._count += 1
        token = str(self._count)
        headers = {"Nats-Msg-Id": _header(item.message_id)}
        if self._stream:
            headers["Nats-Expected-Stream"] = self._stream
        self._asked[token] = future
        future.add_done_callback(lambda _: self._asked.pop(token, None))
        try:
            subject = self._subject(item.type, item.name)
            await self._client.publish(subject, item.body, reply=f"{self._inbox}.{token}", headers=headers)
        except MaxPayloadError:
            future.set_result(Failed("The event is larger than the server takes."))
        except ConnectionClosedError:
            self.lose(_LOST)
        if self._lost is not None and not future.done():
            future.set_result(Failed(self._lost.detail, again=True))
        return future

    async def _heard(self, message: Msg) -> None:
        future = self._asked.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(_read(message))


def _read(message: Msg) -> Failed | None:
    """What an answer means. Only one that names a place in a stream is an acknowledgement."""
    if (message.headers or {}).get("Status") == "503":
        return Failed("No stream takes this subject, or its leader is away.", again=True, status=503)
    try:
        ack = _read_ack(message.data)
    except msgspec.MsgspecError:
        return Failed("The server's answer cannot be read.", again=True)
    if ack.error is not None:
        code = ack.error.code
        again = code >= 500 or code in (408, 429) or ack.error.err_code == _OTHER_STREAM
        return Failed(f"{code}: {ack.error.description}"[:300], again=again, status=code)
    return None if ack.stream and ack.seq else Failed("The server's answer is no acknowledgement.", again=True)


async def connect(settings: dict[str, Any], guard: Guard) -> JetStream:
    """Connect to one of the servers, in the order in which they are given."""
    from nats.aio.client import Client

    last: NoAnswer | None = None
    for server in servers(settings["servers"]):
        client = Client()
        found = JetStream(client, settings)
        try:
            await _open(client, found, settings, server, guard)
        except NoAnswer as error:
            if error.reason not in ("UNREACHABLE", "TIMEOUT"):
                raise
            last = error
            continue
        return found
    raise last or NoAnswer("INVALID_SETTINGS", "No server is given.")


async def _open(
    client: Client, found: JetStream, settings: dict[str, Any], server: tuple[str, int, bool], guard: Guard
) -> None:
    from nats import errors

    heard: list[Exception] = []
    host, port, tls = server
    address = await guard(host, port)

    async def said(error: Exception) -> None:
        heard.append(error)
        if "permissions violation" in str(error).lower():
            found.lose(str(error)[:200], "UNAUTHORIZED")

    async def closed() -> None:
        found.lose(_LOST)

    context = _context(settings.get("caCertificate")) if tls or settings.get("caCertificate") else None

    def secret(key: str) -> Callable[[], str] | None:
        if not settings.get(key):
            return None

        def tell() -> str:
            if context is not None and not context.used:
                raise NoAnswer("UNREACHABLE", _NO_TLS)
            return settings[key]

        return tell

    shown = f"[{address}]" if ":" in address else address
    try:
        await client.connect(
            servers=[f"nats://{shown}:{port}"],
            name="headwater",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_OPEN_SECONDS,
            user=secret("user"),
            password=secret("password"),
            token=secret("token"),
            tls=context,
            tls_hostname=host if context is not None else None,
            error_cb=said,
            disconnected_cb=closed,
            closed_cb=closed,
        )
        if context is not None and not context.used:
            await client.close()
            raise NoAnswer("UNREACHABLE", _NO_TLS)
        await found.listen()
    except ssl.SSLError as error:
        raise NoAnswer("UNREACHABLE", f"The server's certificate is not accepted: {error}"[:300]) from error
    except (errors.Error, OSError, TimeoutError, ValueError) as error:
        raise _silence(heard[0] if heard else error) from error


def servers(text: str) -> list[tuple[str, int, bool]]:
    """The servers of a list with commas: host, port, and whether the connection has TLS. Raises SetupError."""
    found: list[tuple[str, int, bool]] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        try:
            parts = urlsplit(each if "://" in each else f"nats://{each}")
            port = parts.port or 4222
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.username or parts.path.strip("/") or not port:
            raise SetupError(f"{each!r} is no server; one looks like nats://nats.example.com:4222 or tls://….")
        found.append((parts.hostname, port, _SCHEMES[parts.scheme]))
    return found


def _context(authority: str | None) -> _Noting:
    context = _Noting(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authority:
            context.load_verify_locations(cadata=authority)
        else:
            import certifi

            context.load_verify_locations(cafile=certifi.where())
    except (ssl.SSLError, ValueError) as error:
        raise NoAnswer("INVALID_SETTINGS", "The certificate of the authority cannot be read.") from error
    return context


def _header(message_id: str) -> str:
    """The messageId, or its digest if it cannot stand in a header as it is."""
    if message_id.isascii() and message_id.isprintable() and message_id.strip() == message_id:
        return message_id
    return hashlib.sha256(message_id.encode()).hexdigest()


def _silence(error: BaseException) -> NoAnswer:
    said = f"{error}".strip() or type(error).__name__
    if any(each in said.lower() for each in ("authorization", "authentication", "user authentication expired")):
        return NoAnswer("UNAUTHORIZED", said[:300])
    return NoAnswer("UNREACHABLE", said[:300])


_read_ack = msgspec.json.Decoder(Ack).decode
