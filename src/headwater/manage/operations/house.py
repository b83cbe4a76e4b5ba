"""The house itself: its version, and where it is reached. Headwater's own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headwater import __version__
from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation

_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - it is compared with, not listened on


class GetHouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing needs to be said."""


class Port(Shape, frozen=True, kw_only=True):
    """Where a part of the house listens. `everywhere` says that it does so on every address of the machine."""

    url: Annotated[str, Meta(description="Its address: the public one if there is one, else seen from the machine.")]
    host: str
    port: int
    everywhere: bool
    public: bool


class GetHouseAnswer(Shape, frozen=True, kw_only=True):
    """The version, and the ports of the tracking API (`collect`) and of the management API and console (`manage`)."""

    version: str
    collect: Port
    manage: Port


@operation("GET", "/headwater/house", scope="workspace:read", tag="Workspaces")
async def get_house(desk: Desk, request: GetHouse) -> GetHouseAnswer:
    """Show which version of Headwater this is, and where clients and people reach it."""
    collect, manage = desk.settings.collect, desk.settings.manage
    return GetHouseAnswer(
        version=__version__,
        collect=_port(collect.host, collect.port, collect.public_url),
        manage=_port(manage.host, manage.port, ""),
    )


def _port(host: str, port: int, public_url: str) -> Port:
    everywhere = host in _ANYWHERE
    near = "127.0.0.1" if everywhere else host
    url = public_url.rstrip("/") or f"http://{f'[{near}]' if ':' in near else near}:{port}"
    return Port(url=url, host=host, port=port, everywhere=everywhere, public=bool(public_url))
