"""Asking a running house over HTTP: where it is, the token for it, and its errors as sentences.

The address and token come from the options, else from the environment, else from `cli.json` in the data folder, which
the first start leaves there for the person who started it, else from the settings.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from headwater.app.settings import client_settings, read
from headwater.spec.errors import HeadwaterError, SenderError, SetupError, Unavailable
from headwater.spec.settings import Settings

Query = Sequence[tuple[str, str]]
KEPT = "cli.json"
_SECONDS = 60.0
_PIECE_BYTES = 65_536


class SupportsRead(Protocol):
    """What can be read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What `cli.json` holds: the addresses of the management and the tracking API, and a token."""

    url: str = ""
    token: str = ""
    collect: str = ""


class Sent(msgspec.Struct, frozen=True):
    """One server-sent event: its name, its id, its data."""

    name: str
    id: str
    data: bytes


class Text(msgspec.Struct, frozen=True):
    """A body that is sent as it is read, of this media type; `size` in bytes, if that is known."""

    file: SupportsRead
    media: str
    size: int | None = None


class _Problem(msgspec.Struct):
    type: str = ""
    message: str = ""
    field: str | None = None


class _Problems(msgspec.Struct):
    errors: list[_Problem]


def keep(folder: Path, kept: Kept) -> None:
    """Write `cli.json`, for its owner alone; the token that is there stays when none is given."""
    path = folder / KEPT
    if not kept.token:
        kept = msgspec.structs.replace(kept, token=kept_in(folder).token)
    path.with_suffix(".new").unlink(missing_ok=True)
    handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    path.with_suffix(".new").replace(path)


def kept_in(folder: Path) -> Kept:
    """What `cli.json` of this folder says; nothing when there is none that this person may read."""
    try:
        return msgspec.json.decode((folder / KEPT).read_bytes(), type=Kept)
    except OSError:
        return Kept()
    except msgspec.MsgspecError as error:
        raise SetupError(f"{folder / KEPT} cannot be read: {error}. Remove it and give --token.") from error


def web_address(host: str, port: int) -> str:
    """The URL under which this machine reaches a listener."""
    reachable = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def manage_url(settings: Settings) -> str:
    """Where the management API of these settings is, seen from this machine."""
    return web_address(settings.manage.host, settings.manage.port)


def collect_url(settings: Settings) -> str:
    """Where the tracking API of these settings is, seen from this machine."""
    return web_address(settings.collect.host, settings.collect.port)


def find_house(*, url: str = "", token: str = "", data: str = "") -> Kept:
    """Where the house is and the token for it, in the order that the module's head tells."""
    named_url, named_token = client_settings()
    settings = read({"data": data} if data else None)
    kept = kept_in(Path(settings.data))
    chosen = (url or named_url or kept.url or manage_url(settings)).rstrip("/")
    # A token that was kept for one house is shown to no other.
    known = kept.token if chosen == kept.url else settings.admin_token if chosen == manage_url(settings) else ""
    return Kept(
        url=chosen,
        token=token or named_token or known,
        collect=(settings.collect.public_url or kept.collect or collect_url(settings)).rstrip("/"),
    )


class Client:
    """Asks one HTTP API of the house; every request has a connection of its own."""

    def __init__(self, url: str, headers: Mapping[str, str], *, seconds: float = _SECONDS) -> None:
        """`url` is http or https, with a path in front of all others if it has one. Raises SetupError for others."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SetupError(f"{url} is not an address of the form http://host:port.")
        self.url = url
        self._address = (parts.hostname, parts.port)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._prefix = parts.path.rstrip("/")
        self._headers = {**headers, "Connection": "close"}
        self._seconds = seconds

    @classmethod
    def of_house(cls, house: Kept, *, seconds: float = _SECONDS) -> Client:
        """A client of the management API."""
        return cls(house.url, {"Authorization": f"Bearer {house.token}"} if house.token else {}, seconds=seconds)

    def ask(self, method: str, path: str, *, query: Query = (), body: Any = None, text: Text | None = None) -> Any:
        """Ask for an operation and return the content of `data`. Raises a HeadwaterError that says what to do."""
        with self.request(method, path, query=query, body=body, text=text) as answer:
            content = _content(answer)
        if answer.status >= 400:
            raise _refusal(answer.status, content)
        try:
            decoded = msgspec.json.decode(content) if content else {}
        except msgspec.DecodeError as error:
            raise Unavailable(f"What answers at {self.url} is not Headwater: its answer is no JSON.") from error
        return decoded.get("data", decoded) if isinstance(decoded, dict) else decoded

    def fetch(self, path: str, *, query: Query = ()) -> Iterator[bytes]:
        """Ask for a text and return its pieces as they come. Raises as `ask` does; the iterator raises Unavailable."""
        answer = self.request("GET", path, query=query, accept="*/*")
        if answer.status >= 400:
            with answer:
                raise _refusal(answer.status, _content(answer))
        return _pieces_of(answer)

    def listen(self, path: str, *, query: Query = ()) -> Iterator[Sent]:
        """Connect to a stream operation; what it sends is read from the iterator, until the connection ends.

        Raises as `ask` does, here and now; the iterator raises Unavailable when the connection breaks.
        """
        answer = self.request("GET", path, query=query, accept="text/event-stream")
        if answer.status >= 400:
            with answer:
                raise _refusal(answer.status, _content(answer))
        return _sent_by(answer)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        text: Text | None = None,
        accept: str = "application/json",
    ) -> http.client.HTTPResponse:
        """Send one request and return its answer as soon as the head is there. Raises Unavailable."""
        headers = self._headers | {"Accept": accept}
        content = text.file if text else None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = text.media if text else "application/json"
        if text and text.size is not None:
            headers["Content-Length"] = str(text.size)
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        connection = self._kind(*self._address, timeout=self._seconds)
        try:
            try:
                connection.request(method, target, content, headers)
            except (BrokenPipeError, ConnectionResetError):
                if text is None:
                    raise
                # It may have refused the text before it was all there, and said why.
            return connection.getresponse()
        except TimeoutError as error:
            raise Unavailable(f"{self.url} did not answer in time. Is it busy? Try again.") from error
        except OSError as error:
            raise Unavailable(_nobody(self.url)) from error
        except http.client.HTTPException as error:
            raise Unavailable(f"What answers at {self.url} does not speak HTTP. Is the port right?") from error


def path_to(template: str, values: Mapping[str, str]) -> str:
    """An operation's path with its parameters filled in."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


def is_healthy(url: str, *, seconds: float = 2.0) -> bool:
    """Does the house answer well at /health there?"""
    try:
        with Client(url, {}, seconds=seconds).request("GET", "/health") as answer:
            return answer.status == 200
    except HeadwaterError:
        return False


def wait_until_healthy(urls: Sequence[str], *, seconds: float) -> bool:
    """Wait until all of them answer /health; False when that takes longer."""
    until = time.monotonic() + seconds
    waiting = list(urls)
    while waiting:
        waiting = [url for url in waiting if not is_healthy(url)]
        if waiting and time.monotonic() > until:
            return False
        if waiting:
            time.sleep(0.1)
    return True


def sent_events(lines: Iterable[bytes]) -> Iterator[Sent]:
    """Read server-sent events: lines come in; comments are passed over."""
    name, place, data = "message", "", list[bytes]()
    for line in lines:
        text = line.rstrip(b"\r\n")
        field, _, value = text.partition(b":")
        value = value.removeprefix(b" ")
        if not text:
            if data:
                yield Sent(name, place, b"\n".join(data))
            name, place, data = "message", "", []
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"id":
            place = value.decode("utf-8", "replace")
        elif field == b"data":
            data.append(value)


def _sent_by(answer: http.client.HTTPResponse) -> Iterator[Sent]:
    with answer:
        try:
            yield from sent_events(answer)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("The stream broke off.") from error


def _pieces_of(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    with answer:
        try:
            while piece := answer.read(_PIECE_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("The answer broke off; what came of it is not the whole.") from error


def _content(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable("The answer broke off. Try again.") from error


def _nobody(url: str) -> str:
    return (
        f"Nothing answers at {url}. "
        "Start the house with `headwater serve`, or say where it is with --url or HEADWATER_URL."
    )


def _refusal(status: int, content: bytes) -> HeadwaterError:
    try:
        said = "; ".join(_sentence(problem) for problem in msgspec.json.decode(content, type=_Problems).errors)
    except msgspec.MsgspecError:
        said = ""
    said = said or f"The answer was {status} {http.client.responses.get(status, '')}".rstrip() + "."
    if status == 401:
        said += " Give a token with --token or HEADWATER_TOKEN, or name the house's data folder with --data."
    if status in {429, 503}:
        return Unavailable(said + " Try again in a moment.")
    return SenderError(said, status=status)


def _sentence(problem: _Problem) -> str:
    said = problem.message or problem.type or "It was refused."
    return said if not problem.field or problem.field in said else f"{problem.field}: {said}"
