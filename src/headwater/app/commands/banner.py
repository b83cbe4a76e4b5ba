"""What `serve` prints once the house answers: its addresses, and on the first start the keys and what to try."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from headwater.app.commands import output
from headwater.app.commands.client import KEPT, Kept, collect_url, keep, manage_url, wait_until_healthy
from headwater.app.shapes import FirstStart
from headwater.spec.settings import Settings

_SECONDS = 20.0


def announce(settings: Settings, first: FirstStart | None) -> None:
    """Keep the addresses (and the first token) for the command line, and print the banner when the house answers."""
    _keep(settings, first)
    threading.Thread(target=_when_healthy, args=(settings, first), name="banner", daemon=True).start()


def show_keys(settings: Settings, first: FirstStart) -> None:
    """Print what the first start made, where no whole house is started here.

    Keys that were both preset are shown nowhere: such a process often has its lines collected by others.
    """
    if settings.write_key and settings.admin_token:
        return
    _keep(settings, first)
    for line in _keys(settings, first):
        output.say(line)


def banner(settings: Settings, first: FirstStart | None) -> Iterator[str]:
    """The lines."""
    collect, manage, command = _public(settings), manage_url(settings), _command()
    yield ""
    yield "Headwater is running. Stop it with Ctrl-C."
    yield ""
    yield f"  Tracking API    {collect}"
    yield f"  Management API  {manage}"
    yield f"  Console         {manage}/console"
    yield f"  Data            {Path(settings.data).absolute()}"
    yield ""
    if first is None:
        yield f"A new token:      {command} create-token --name NAME --scopes '*'"
        yield f"A lost one:       {command} admin-token"
        yield f"The write keys:   {command} list-sources"
        yield ""
        return
    yield from _keys(settings, first)
    yield "Send a first event:"
    yield f"  curl -u {first.write_key}: {collect}/v1/track -H 'content-type: application/json' \\"
    yield """    -d '{"userId":"u1","event":"Order Completed","properties":{"revenue":19.99}}'"""
    yield "and see it arrive:"
    yield f"  {command} tail --from start"
    yield ""


def _command() -> str:
    """What to type for this program in another terminal: its path where a shell would not find it by its name."""
    called = Path(sys.argv[0])
    return "headwater" if shutil.which("headwater") or called.name != "headwater" else str(called)


def _keys(settings: Settings, first: FirstStart) -> Iterator[str]:
    yield f"  Write key       {first.write_key}"
    yield f"  Admin token     {first.admin_token}"
    yield f"                  (shown this once; {Path(settings.data) / KEPT} keeps it for the command line)"
    yield ""


def _when_healthy(settings: Settings, first: FirstStart | None) -> None:
    if not wait_until_healthy([collect_url(settings), manage_url(settings)], seconds=_SECONDS):
        output.say("The house is not up yet; the lines above say why. `headwater doctor` looks closer.", error=True)
        if first is None:
            return
    for line in banner(settings, first):
        output.say(line)


def _public(settings: Settings) -> str:
    return (settings.collect.public_url or collect_url(settings)).rstrip("/")


def _keep(settings: Settings, first: FirstStart | None) -> None:
    keep(
        Path(settings.data),
        Kept(
            url=manage_url(settings),
            token=first.admin_token if first else "",
            collect=_public(settings),
        ),
    )
