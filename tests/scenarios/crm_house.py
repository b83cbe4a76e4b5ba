"""A house whose catalogue also has the made-up tool of tests/cases/manage/destinations, and its operations."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from manage_desk import ManageDesk, at_desk
from manage_house import ManageHouse

from headwater import destinations
from headwater.spec.settings import DeliverSettings

CASES = Path(__file__).parents[1] / "cases" / "manage" / "destinations"


class CrmDesk:
    """A desk, a source, and the tool connected to it on demand."""

    def __init__(self, desk: ManageDesk, source: str) -> None:
        self.desk = desk
        self.house = desk.house
        self.ask: Callable[..., Coroutine[Any, Any, Any]] = desk.ask
        self.source = source

    async def connect(self, kind: str = "crm", *, name: str | None = None, **settings: Any) -> str:
        """Connect a destination to the source, and return its id."""
        given = {"crm": {"address": "http://crm.test", "apiKey": "sesame"}, "webhook": {"url": "http://hook.test/"}}
        body = {"sourceId": self.source, "metadataId": kind, "settings": given.get(kind, {}) | settings}
        answer = await self.ask("POST", "/destinations", body | ({"name": name} if name else {}))
        return answer.data["destination"]["id"]

    async def subscriptions(self, destination: str) -> dict[str, dict[str, Any]]:
        """What the destination does, by name."""
        found = (await self.ask("GET", f"/destinations/{destination}/subscriptions")).data["subscriptions"]
        return {one["name"]: one for one in found}


@asynccontextmanager
async def with_crm(folder: Path, **more: Any) -> AsyncGenerator[CrmDesk]:
    """A desk over a new house, with private addresses allowed."""
    house = ManageHouse(folder)
    deliver = DeliverSettings(allowed_addresses=("127.0.0.0/8",))
    house.settings = msgspec.structs.replace(house.settings, deliver=deliver)
    destinations.__path__.append(str(CASES))
    destinations.own_names.cache_clear()
    try:
        async with at_desk(house, **more) as desk:
            made = await desk.ask("POST", "/sources", {"slug": "web", "metadataId": "javascript"})
            yield CrmDesk(desk, made.data["source"]["id"])
    finally:
        destinations.__path__.remove(str(CASES))
        destinations.own_names.cache_clear()
