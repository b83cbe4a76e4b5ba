"""Where the tracking API is, for whoever sets up a client. Headwater's own."""

from __future__ import annotations

import msgspec

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation


class GetConnectionDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing to choose."""


class GetConnectionDetailsAnswer(Shape, frozen=True, kw_only=True):
    """`publicUrl` is the address for clients, without a slash at its end, and empty when no setting gives it.

    Then the tracking API is on `port` of the host by which the house is reached.
    """

    public_url: str
    port: int


@operation("GET", "/headwater/connection", scope="sources:read", tag="Sources")
async def get_connection_details(desk: Desk, request: GetConnectionDetails) -> GetConnectionDetailsAnswer:
    """Show where clients reach the tracking API."""
    collect = desk.settings.collect
    return GetConnectionDetailsAnswer(public_url=collect.public_url.rstrip("/"), port=collect.port)
