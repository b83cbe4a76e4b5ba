"""`headwater catch`: a little receiver on this machine that prints what arrives."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Annotated, Any

import msgspec
import typer

from headwater.app.commands import flags, output
from headwater.spec.errors import SetupError

_MAX_BODY = 16_000_000
_DULL = {"host", "accept", "accept-encoding", "connection", "content-length"}


class Caught(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request that arrived, and the status that it was answered with."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are answered: with which status, after how many seconds, and how many before it ends (0: no end)."""

    status: int
    delay: float
    count: int
    json: bool


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="House")(catch)


def catch(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 for any that is free.")] = 9000,
    status: Annotated[int, typer.Option("--status", min=100, max=599, help="The status of every answer.")] = 200,
    delay: Annotated[float, typer.Option("--delay", min=0, help="Seconds to wait before each answer.")] = 0.0,
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many requests; 0: never.")] = 0,
    json: flags.Json = False,
) -> None:
    """Receive webhooks on this machine and print what arrives. Ctrl-C ends it.

    Deliveries to private addresses are refused unless they are allowed, so start the house with the setting below.

    \b
    Examples:
      headwater serve --set deliver.allowed_addresses=127.0.0.1/32
      headwater catch
      headwater catch --status 500     plays a destination that is broken
      headwater catch --delay 5        plays one that is slow
    """
    plan = Plan(status=status, delay=delay, count=count, json=json)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _receiver(plan))
    except OSError as error:
        raise SetupError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from error
    server.daemon_threads = True
    output.say(f"Listening on http://127.0.0.1:{server.server_port}, answering {status}. Ctrl-C ends it.", error=json)
    sys.stdout.flush()
    with server:
        server.serve_forever(poll_interval=0.1)


def _receiver(plan: Plan) -> type[BaseHTTPRequestHandler]:
    printing = Lock()
    seen = 0

    class Receiver(BaseHTTPRequestHandler):
        """Answers every method as the plan says."""

        protocol_version = "HTTP/1.1"

        def receive(self) -> None:
            nonlocal seen
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(size, _MAX_BODY))
            caught = Caught(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=_read(body),
                status=plan.status,
            )
            time.sleep(plan.delay)
            self.send_response(plan.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            with printing:
                seen += 1
                if not plan.count or seen <= plan.count:
                    show(caught, json=plan.json)
                if seen == plan.count:
                    # Only another thread may be told to stop: this one is waited for.
                    from threading import Thread

                    Thread(target=self.server.shutdown, daemon=True).start()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = receive

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are printed in our own way."""

    return Receiver


def show(caught: Caught, *, json: bool) -> None:
    """Print one request."""
    if json:
        output.print_json(caught, indent=0)
        return
    output.say(f"{time.strftime('%H:%M:%S')} {caught.method} {caught.path}  answered {caught.status}", style="bold")
    for name, value in caught.headers.items():
        if name not in _DULL:
            output.say(f"  {name}: {value}", style="dim")
    text = (
        caught.body if isinstance(caught.body, str) else msgspec.json.format(msgspec.json.encode(caught.body)).decode()
    )
    for line in text.splitlines():
        output.say(f"  {line}")
    output.say()
    sys.stdout.flush()


def _read(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
