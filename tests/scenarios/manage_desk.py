"""The operations of a house without its port: requests are answered in the test's own loop, and nothing is waited for.

What a change of the workspace waits for, so that every role sees it, is left out: there are no other roles.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from manage_house import ADMIN, Answer, ManageHouse

from headwater.manage.desk import Desk
from headwater.manage.front import Front
from headwater.manage.http import application
from headwater.manage.operations import OPERATIONS
from headwater.manage.profile_api.events import Histories
from headwater.store.snapshot import Snapshot


class ManageDesk:
    """What a house answers."""

    def __init__(self, house: ManageHouse, client: httpx.AsyncClient, front: Front) -> None:
        self.house = house
        self.front = front
        self.store = house.store
        self._client = client

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = ADMIN) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        sent = None if body is None else json.dumps(body)
        answer = await self._client.request(method, path, content=sent, headers=headers)
        return Answer(answer.status_code, dict(answer.headers), answer.json())


@asynccontextmanager
async def at_desk(house: ManageHouse, **more: Any) -> AsyncGenerator[ManageDesk]:
    """Answer for a house that does not run. `more` are further ports of its desk."""
    desk = Desk(
        store=house.store,
        log=house.log,
        snapshot=await Snapshot.take(house.store),
        secrets=house.secrets,
        settings=house.settings,
        folder=house.folder,
        histories=Histories(house.log, house.folder),
        stopping=house.stopping,
        **more,
    )
    front = Front(desk)
    transport = httpx.ASGITransport(app=application(front, OPERATIONS))  # pyright: ignore[reportArgumentType]
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://house.test") as client:
            yield ManageDesk(house, client, front)
    finally:
        await house.log.close()
        house.store.close()
