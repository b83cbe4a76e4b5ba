"""Authorising a destination from end to end: the operator's app, the vendor, and the browser that comes back."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import httpx
import msgspec
import pytest
from manage_house import ADMIN, Answer, ManageHouse

from headwater.console.web import console
from headwater.contracts.vendor import Vendor
from headwater.manage.desk import Desk
from headwater.manage.faces import beside
from headwater.manage.front import Front
from headwater.manage.http import application
from headwater.manage.operations import OPERATIONS
from headwater.manage.profile_api.events import Histories
from headwater.spec.settings import DeliverSettings
from headwater.store import authorizations
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

DEFINITION = "actions-hubspot-cloud"
APP = f"/headwater/oauth-apps/{DEFINITION}"
HOST = "http://house.test"


class Office:
    """A house with a console and a destination at the vendor, asked without a network."""

    def __init__(self, house: ManageHouse, vendor: Vendor, answer: httpx.ASGITransport) -> None:
        self.house = house
        self.vendor = vendor
        self._answer = answer
        self.destination_id = self.connect(DEFINITION)

    def connect(self, definition: str, **settings: Any) -> str:
        def make(connection: Any) -> str:
            known = workspaces.load(connection).sources
            source = known[0] if known else workspaces.create_source(connection, slug="s", name="S")
            return workspaces.create_destination(
                connection, source_id=source.id, definition=definition, name=f"A <b>{definition}</b>", settings=settings
            ).id

        return self.house.store.run(make)

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._answer, base_url=HOST)

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = ADMIN) -> Answer:
        async with self.browser() as client:
            sent = None if body is None else json.dumps(body)
            found = await client.request(method, path, content=sent, headers={"Authorization": f"Bearer {token}"})
            return Answer(found.status_code, dict(found.headers), found.json())

    async def set_app(self, **more: Any) -> Answer:
        return await self.ask("PUT", APP, self.vendor.app() | more)

    async def link(self, *, token: str = ADMIN) -> str:
        path = f"/headwater/destinations/{self.destination_id}/authorization-links"
        return (await self.ask("POST", path, {"consoleUrl": HOST}, token=token)).data["url"]

    async def allow(self, url: str) -> str:
        """What somebody does at the vendor's; returns the address that it sends the browser to."""
        async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def authorization(self, destination_id: str = "") -> dict[str, Any]:
        path = f"/headwater/destinations/{destination_id or self.destination_id}/authorization"
        return (await self.ask("GET", path)).data["authorization"]

    def stored(self) -> authorizations.Authorization:
        found = self.house.store.run(partial(authorizations.find, destination_id=self.destination_id))
        assert found is not None
        return found

    def paused(self, destination_id: str = "") -> bool:
        find = partial(workspaces.find_destination, destination_id=destination_id or self.destination_id)
        return self.house.store.run(find).paused


@asynccontextmanager
async def office(folder: Path, *allowed: str) -> AsyncGenerator[Office]:
    house = ManageHouse(folder)
    delivering = DeliverSettings(allowed_addresses=allowed or ("127.0.0.0/8",))
    settings = msgspec.structs.replace(house.settings, deliver=delivering)
    desk = Desk(
        store=house.store,
        log=house.log,
        snapshot=await Snapshot.take(house.store),
        secrets=house.secrets,
        settings=settings,
        folder=folder,
        histories=Histories(house.log, folder),
        stopping=house.stopping,
    )
    front = Front(desk)
    async with Vendor() as vendor, console(front) as pages:
        whole = beside(application(front, OPERATIONS), {"/console": pages})
        yield Office(house, vendor, httpx.ASGITransport(app=whole))  # pyright: ignore[reportArgumentType]
    await house.log.close()
    house.store.close()


async def sign_in(browser: httpx.AsyncClient, token: str = ADMIN) -> str:
    """Sign in, and return the text of the session."""
    await browser.post("/console/sign-in", data={"token": token})
    return browser.cookies["headwater_session"]


def test_a_browser_that_allows_it_authorises_the_destination_and_no_token_is_shown(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house, house.browser() as browser:
            shown = (await house.set_app()).data["app"]
            assert shown["clientSecret"] == "••••"
            session = await sign_in(browser)
            url = await house.link(token=session)
            assert parse_qs(urlsplit(url).query)["scope"] == ["contacts.write"]
            page = await browser.get(await house.allow(url))
            assert page.status_code == 200
            assert "A &lt;b&gt;actions-hubspot-cloud&lt;/b&gt;</strong> may use its account" in page.text
            assert f"/console/destinations/{house.destination_id}" in page.text
            standing = await house.authorization()
            assert (standing["state"], standing["refreshes"]) == ("granted", True)
            tokens = [house.house.secrets.open(text) for text in house.stored().tokens.values()]
            assert not any(token in f"{page.text}{standing}" for token in tokens)
            lines = (await house.ask("GET", "/audit-events")).data["events"]
            assert "Integration Authorized" in [line["type"] for line in lines]
            again = await browser.get(str(page.url))
            assert again.status_code == 409
            assert "finished already" in again.text

    asyncio.run(scenario())


def test_what_one_session_began_no_other_finishes_and_the_state_is_spent_by_trying(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house, house.browser() as mine, house.browser() as other:
            await house.set_app()
            session = await sign_in(mine)
            await sign_in(other)
            back = await house.allow(await house.link(token=session))
            assert (await other.get(back)).status_code == 409
            assert (await mine.get(back)).status_code == 409
            assert (await house.authorization())["state"] == "none"
            stranger = await house.browser().get(await house.allow(await house.link(token=session)))
            assert stranger.status_code == 303
            assert stranger.headers["location"].startswith("/console/sign-in?next=")

    asyncio.run(scenario())


def test_what_a_program_began_is_finished_by_a_browser_with_the_same_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house, house.browser() as mine, house.browser() as other:
            await house.set_app()
            await sign_in(other, house.house.token("Other", "destinations:write"))
            await sign_in(mine)
            assert (await other.get(await house.allow(await house.link()))).status_code == 409
            assert (await mine.get(await house.allow(await house.link()))).status_code == 200

    asyncio.run(scenario())


def test_what_the_vendor_refuses_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house, house.browser() as browser:
            await house.set_app()
            session = await sign_in(browser)
            house.vendor.denies = True
            page = await browser.get(await house.allow(await house.link(token=session)))
            assert page.status_code == 422
            assert "The owner said &lt;no&gt;." in page.text
            house.vendor.denies = False
            house.vendor.away = 503
            page = await browser.get(await house.allow(await house.link(token=session)))
            assert "token endpoint answered 503" in page.text
            house.vendor.away = 0
            await house.set_app(clientSecret="wrong-secret")
            page = await browser.get(await house.allow(await house.link(token=session)))
            assert "does not know the app" in page.text
            assert "wrong-secret" not in page.text
            for query in ("", "?code=c", f"?{urlencode({'state': 'x' * 500, 'code': '<script>', 'next': 'http://e'})}"):
                page = await browser.get(f"/console/oauth/callback{query}")
                assert page.status_code == 409
                assert "http://e" not in page.text
            assert (await house.authorization())["state"] == "none"

    asyncio.run(scenario())


def test_tokens_are_not_asked_for_at_private_addresses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path, "10.0.0.0/8") as house, house.browser() as browser:
            await house.set_app()
            session = await sign_in(browser)
            page = await browser.get(await house.allow(await house.link(token=session)))
            assert page.status_code == 422
            assert "The address is private" in page.text
            assert house.vendor.asked == []

    asyncio.run(scenario())


def test_a_new_authorization_lifts_the_pause_of_refused_credentials(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house, house.browser() as browser:
            await house.set_app()
            session = await sign_in(browser)
            await browser.get(await house.allow(await house.link(token=session)))
            refuse = partial(authorizations.refuse, destination_id=house.destination_id, detail="Authorise it again.")
            house.house.store.run(refuse)
            standing = await house.authorization()
            assert (standing["state"], standing["detail"]) == ("refused", "Authorise it again.")
            assert house.paused()
            await browser.get(await house.allow(await house.link(token=session)))
            assert not house.paused()

    asyncio.run(scenario())


def test_tokens_can_be_pasted_and_taken_back_here_and_at_the_vendor(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            await house.set_app()
            path = f"/headwater/destinations/{house.destination_id}/authorization"
            tokens = house.vendor.hand_out()
            given = {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"]}
            assert (await house.ask("PUT", path, given)).data["authorization"]["state"] == "granted"
            assert (await house.ask("PUT", path, {"accessToken": "two\nlines"})).status == 422
            assert (await house.ask("PUT", path, {})).status == 422
            assert (await house.ask("DELETE", path)).data["forgottenByVendor"] is True
            assert house.stored().tokens == {}
            assert house.paused()
            assert (await house.authorization())["state"] == "refused"
            await house.ask("PUT", path, given)
            assert not house.paused()

    asyncio.run(scenario())


def test_an_app_keeps_its_secret_where_it_is_and_tokens_do_not_move_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            assert "register one at the vendor" in (await _refused(house)).errors[0]["message"]
            await house.set_app()
            own = house.vendor.app() | {"clientSecret": "••••"}
            assert (await house.ask("PUT", APP, own)).status == 200
            moved = own | {"tokenUrl": "https://evil.example/token"}
            refused = await house.ask("PUT", APP, moved)
            assert refused.errors[0]["field"] == "clientSecret"
            path = f"/headwater/destinations/{house.destination_id}/authorization"
            await house.ask("PUT", path, {"accessToken": "a", "refreshToken": "r"})
            assert (await house.ask("PUT", APP, moved | {"clientSecret": "new"})).status == 200
            assert house.stored().tokens == {}
            assert "Authorise it again" in (await house.authorization())["detail"]
            assert (await house.ask("DELETE", APP)).status == 200
            assert (await house.ask("DELETE", APP)).status == 404
            shown = (await house.ask("GET", APP)).data["app"]
            assert (shown["configured"], shown["tokenUrl"]) == (False, "https://api.hubapi.com/oauth/v1/token")
            assert shown["callbackUrl"].endswith("/console/oauth/callback")

    asyncio.run(scenario())


async def _refused(house: Office) -> Answer:
    return await house.ask("POST", f"/headwater/destinations/{house.destination_id}/authorization-links", {})


def test_a_destination_that_moves_loses_its_authorization(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            hook = house.connect("webhook", url="https://a.example/")
            grant = partial(authorizations.grant, destination_id=hook, tokens={"access_token": "sealed"})
            house.house.store.run(grant)
            await house.ask("PATCH", f"/destinations/{hook}", {"settings": {"method": "PUT"}})
            assert (await house.authorization(hook))["state"] == "granted"
            await house.ask("PATCH", f"/destinations/{hook}", {"settings": {"url": "https://b.example/"}})
            assert (await house.authorization(hook))["state"] == "refused"
            assert house.paused(hook)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", APP, {"clientId": "x"}),
        ("DELETE", APP, None),
        ("POST", "/headwater/authorizations", {"state": "s", "code": "c"}),
    ],
)
def test_who_may_only_read_authorises_nothing(tmp_path: Path, method: str, path: str, body: Any) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            reader = house.house.token("Reader", "destinations:read")
            assert (await house.ask(method, path, body, token=reader)).status == 401
            assert (await house.ask("GET", APP, token=reader)).status == 200

    asyncio.run(scenario())
