"""What somebody who has not signed in gets from the console, and what signing in leaves in the browser."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from manage_house import ADMIN, ManageHouse
from nicegui import Client

from headwater.console.web import console
from headwater.manage.desk import Desk
from headwater.manage.front import Front
from headwater.manage.profile_api.events import Histories
from headwater.store.snapshot import Snapshot

Ask = Callable[..., Any]
_HOST = "house.test"


@asynccontextmanager
async def _console(folder: Path) -> AsyncGenerator[Ask]:
    """The console of a house, asked without a network."""
    house = ManageHouse(folder)
    desk = Desk(
        store=house.store,
        log=house.log,
        snapshot=await Snapshot.take(house.store),
        secrets=house.secrets,
        settings=house.settings,
        folder=folder,
        histories=Histories(house.log, folder),
        stopping=house.stopping,
    )
    async with console(Front(desk)) as application:

        async def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
            return await _exchange(application, method, path, body, headers)

        yield ask
    await house.log.close()
    house.store.close()


async def _exchange(
    application: Any, method: str, path: str, body: str, headers: dict[str, str]
) -> tuple[int, dict[str, str], str]:
    sent: list[dict[str, Any]] = []
    lines = {"host": _HOST, "content-type": "application/x-www-form-urlencoded"} | headers
    place, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": place,
        "raw_path": place.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in lines.items()],
        "server": (_HOST, 80),
        "client": ("192.0.2.1", 1),
        "http_version": "1.1",
    }
    parts = [{"type": "http.request", "body": body.encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(one.get("body", b"") for one in sent[1:]).decode()


def test_strangers_leave_no_page_behind_and_sign_in_over_https_sets_a_secure_cookie(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with _console(tmp_path) as ask:
            before = len(Client.instances)
            status, headers, text = await ask("GET", "/console/_nicegui/nothing")
            assert (status, len(Client.instances)) == (404, before)
            assert "There is no such page." in text
            assert "content-security-policy" in headers

            _, _, text = await ask("GET", "/console/sign-in?" + urlencode({"next": "/console/{{problem}}"}))
            assert 'value="/console/{{problem}}"' in text
            assert re.search(r'<script nonce="[^"]+" src=', text)

            form = urlencode({"token": ADMIN})
            plain = await ask("POST", "/console/sign-in", form, origin=f"http://{_HOST}")
            assert plain[0] == 303
            assert "secure" not in plain[1]["set-cookie"].lower()
            for https in ({"origin": f"https://{_HOST}"}, {"x_forwarded_proto": "https, http"}):
                safe = await ask("POST", "/console/sign-in", form, **https)
                assert "; secure" in safe[1]["set-cookie"].lower()
                assert "httponly" in safe[1]["set-cookie"].lower()
            assert (await ask("POST", "/console/sign-in", form, origin="https://evil.example"))[0] == 403

            logging.getLogger("nicegui").warning("from a browser\nINFO another line")
            assert "from a browser\\nINFO another line" in caplog.text

    asyncio.run(scenario())
