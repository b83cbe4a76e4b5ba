"""One destination: what became of its events, what failed, a test, and its settings."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.destinations.credentials import credentials
from headwater.console.parts.destinations.delivery import Delivery
from headwater.console.parts.destinations.failures import Failures
from headwater.console.parts.destinations.head import destination_head
from headwater.console.parts.destinations.settings import destination_settings, removal
from headwater.console.parts.destinations.trying import DeliveryTest
from headwater.console.parts.mappings.list import names_of_mappings
from headwater.console.parts.pieces import notice
from headwater.console.person import Person


@page("/destinations/{destination_id}", title="Destination", scope="destinations:read")
async def destination(person: Person, destination_id: str) -> None:
    one = await destination_head(person, destination_id, "")
    await Delivery(person, one.id, await names_of_mappings(person, one)).start()


@page("/destinations/{destination_id}/failures", title="Destination", scope="destinations:read")
async def destination_failures(person: Person, destination_id: str) -> None:
    one = await destination_head(person, destination_id, "/failures")
    await Failures(person, one.id).start()


@page("/destinations/{destination_id}/test", title="Destination", scope="destinations:read")
async def destination_test(person: Person, destination_id: str) -> None:
    one = await destination_head(person, destination_id, "/test")
    if not person.may("destinations:write"):
        notice("Trying events needs the scope destinations:write, which you do not have.", tone="warning")
        return
    await DeliveryTest(person, one.id, one.source_id).start()


@page("/destinations/{destination_id}/settings", title="Destination", scope="destinations:read")
async def destination_settings_page(person: Person, destination_id: str) -> None:
    one = await destination_head(person, destination_id, "/settings")
    destination_settings(person, one)
    await credentials(person, one)
    removal(person, one)
