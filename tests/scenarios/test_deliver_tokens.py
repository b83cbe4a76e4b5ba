"""Tokens of destinations against a vendor that rotates them: refreshed once, by one at a time, also among processes."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater import catalogue
from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.vendor import Vendor
from headwater.deliver.tokens import AGAIN, Tokens
from headwater.deliver.transport import Transport
from headwater.spec.destination import NoAnswer, Request
from headwater.spec.errors import Unavailable
from headwater.store import Store, authorizations, oauth_apps, subscriptions

DEFINITION = "actions-hubspot-cloud"
EXTENSIBLE = "actions-webhook-extensible"
PATIENT = msgspec.structs.replace(QUICK, grace_seconds=20.0)


class FlakyStore(Store):
    """A store that is away for the next so many transactions."""

    away = 0

    def run(self, change: Any, **more: Any) -> Any:
        if self.away:
            self.away -= 1
            raise Unavailable("The store does not answer.", retry_after=0.01)
        return super().run(change, **more)


class Office:
    """A house with one destination at the vendor, and the tokens of as many processes as are asked for."""

    def __init__(self, folder: Path, vendor: Vendor, transport: Transport) -> None:
        self.bench = Bench(folder)
        self.vendor = vendor
        self.transport = transport
        self.destination_id = self.bench.connect(DEFINITION)
        app = vendor.app() | {"clientSecret": self.bench.secrets.seal(vendor.client_secret)}
        self.bench.store.run(partial(oauth_apps.keep, definition=DEFINITION, settings=app))

    def process(self, **more: float) -> Tokens:
        return Tokens(self.bench.store, self.bench.secrets, self.transport.exchange, **more)

    def subscribed(self) -> str:
        """A destination of the catalogue that sends every event to the vendor, with the tokens that it was granted."""
        oauth = {"type": "authCode", "refreshTokenServerUrl": self.vendor.url("/token"), "scopes": "contacts.write"}
        there = self.bench.connect(EXTENSIBLE, dynamicAuthSettings={"oauth": oauth})
        app = self.vendor.app() | {"clientSecret": self.bench.secrets.seal(self.vendor.client_secret)}
        self.bench.store.run(partial(oauth_apps.keep, definition=EXTENSIBLE, settings=app))
        mapping = {"url": self.vendor.url("/api"), "method": "POST", "data": {"@path": "$."}}
        create = partial(subscriptions.create, destination_id=there, name="Send", action="send", mapping=mapping)
        self.bench.store.run(partial(create, trigger='type = "track"', enabled=True))
        return there

    def grant(self, destination_id: str = "") -> None:
        sealed = {name: self.bench.secrets.seal(text) for name, text in self.vendor.hand_out().items()}
        there = destination_id or self.destination_id
        self.bench.store.run(partial(authorizations.grant, destination_id=there, tokens=sealed))

    def standing(self, destination_id: str = "") -> authorizations.Authorization:
        there = destination_id or self.destination_id
        found = self.bench.store.run(partial(authorizations.find, destination_id=there))
        assert found is not None
        return found

    async def call(self, tokens: Tokens) -> int:
        """One call of the vendor's API, refreshed once if it is refused: what a destination does."""
        destination = self.bench.destination(self.destination_id)
        held = await tokens.current(destination)
        answer = await self._send(held)
        if answer == 401:
            answer = await self._send(await tokens.renew(destination.id, held.get("access_token", "")))
        return answer

    async def _send(self, held: dict[str, str]) -> int:
        headers = {"Authorization": f"Bearer {held.get('access_token', '')}"}
        return (await self.transport.exchange(Request("POST", self.vendor.url("/api"), headers, b"{}"))).status


@asynccontextmanager
async def office(folder: Path) -> AsyncGenerator[Office]:
    async with Vendor() as vendor, Transport(("127.0.0.0/8",)) as transport:
        yield Office(folder, vendor, transport)


def test_an_access_token_that_has_ended_is_refreshed_and_the_next_call_uses_the_new_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            tokens = house.process()
            assert await house.call(tokens) == 200
            for _ in range(3):
                house.vendor.end_access()
                assert await house.call(tokens) == 200
            assert house.vendor.refreshes == 3
            assert await house.call(house.process()) == 200
            assert all(text.startswith("sealed:") for text in house.standing().tokens.values())

    asyncio.run(scenario())


def test_many_that_are_refused_at_once_refresh_once_in_one_process_and_in_several(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            processes = [house.process() for _ in range(3)]
            for each in processes:
                assert await house.call(each) == 200
            house.vendor.end_access()
            assert await asyncio.gather(*(house.call(each) for each in processes * 4)) == [200] * 12
            assert house.vendor.refreshes == 1

    asyncio.run(scenario())


def test_a_process_that_dies_while_it_refreshes_holds_up_the_others_for_its_lease_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            dead = partial(authorizations.claim, destination_id=house.destination_id, holder="dead", lease_ms=300)
            house.bench.store.run(lambda connection: dead(connection, at=_now()))
            house.vendor.end_access()
            assert await house.call(house.process()) == 200
            assert house.vendor.refreshes == 1

    asyncio.run(scenario())


def test_a_refusal_pauses_says_what_to_do_and_a_new_grant_lets_it_flow(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            tokens = house.process()
            house.vendor.end_all()
            with pytest.raises(NoAnswer) as caught:
                await house.call(tokens)
            assert caught.value.reason == "UNAUTHORIZED"
            assert AGAIN in caught.value.detail
            assert house.standing().state == "refused"
            assert AGAIN in house.standing().detail
            assert house.bench.destination(house.destination_id).paused
            house.grant()
            assert not house.bench.destination(house.destination_id).paused
            assert await house.call(tokens) == 200

    asyncio.run(scenario())


def test_a_vendor_that_is_away_refuses_nothing_and_a_later_call_succeeds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            tokens = house.process()
            house.vendor.end_access()
            house.vendor.away = 503
            with pytest.raises(NoAnswer) as caught:
                await house.call(tokens)
            assert caught.value.reason == "UNREACHABLE"
            assert house.standing().state == "granted"
            house.vendor.away = 0
            assert await house.call(tokens) == 200

    asyncio.run(scenario())


def test_an_authorization_given_during_a_refresh_is_not_undone_by_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            tokens = house.process()
            house.vendor.end_access()
            async with tokens.locked(house.destination_id):
                house.grant()
                granted = house.standing()
                await tokens.save(house.destination_id, {"access_token": "late"})
                await tokens.refuse(house.destination_id, "late")
            assert house.standing() == granted
            assert await house.call(tokens) == 200

    asyncio.run(scenario())


def test_new_tokens_are_not_lost_when_the_store_is_away_while_they_come(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            store = FlakyStore(house.bench.store.url)
            tokens = Tokens(store, house.bench.secrets, house.transport.exchange)
            assert await house.call(tokens) == 200
            house.vendor.end_access()
            house.vendor.holding.clear()
            calling = asyncio.create_task(house.call(tokens))
            await house.bench.until(lambda: house.vendor.asked)
            store.away = 5
            house.vendor.holding.set()
            assert await calling == 200
            assert store.away == 0
            house.vendor.end_access()
            assert await house.call(house.process()) == 200
            assert house.vendor.refreshes == 2
            store.close()

    asyncio.run(scenario())


def test_tokens_that_came_are_kept_although_whoever_asked_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            store = FlakyStore(house.bench.store.url)
            tokens = Tokens(store, house.bench.secrets, house.transport.exchange)
            async with tokens.locked(house.destination_id):
                store.away = 5
                saving = asyncio.create_task(tokens.save(house.destination_id, {"access_token": "new"}))
                await asyncio.sleep(0)
                saving.cancel()
            assert house.bench.secrets.open(house.standing().tokens["access_token"]) == "new"
            store.close()

    asyncio.run(scenario())


def test_an_app_that_asks_for_itself_needs_no_grant_and_tokens_are_fresh_before_they_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            app = house.vendor.app() | {"clientSecret": house.vendor.client_secret, "authorizeUrl": ""}
            house.bench.store.run(partial(oauth_apps.keep, definition=DEFINITION, settings=app))
            tokens = house.process()
            destination = house.bench.destination(house.destination_id)
            first = await tokens.fresh(destination)
            assert await tokens.fresh(house.bench.destination(house.destination_id)) == first
            assert house.vendor.asked[0]["grant_type"] == "client_credentials"
            assert len(house.vendor.asked) == 1
            await tokens.save(house.destination_id, {"access_token": "soon"}, expires_at=_now() + 5_000)
            assert (await tokens.fresh(house.bench.destination(house.destination_id)))["access_token"] != "soon"

    asyncio.run(scenario())


def test_what_a_worker_refreshes_itself_is_kept_for_whoever_waited(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            house.grant()
            tokens, other = house.process(), house.process()
            async with tokens.locked(house.destination_id) as held:
                assert held["clientSecret"] == house.vendor.client_secret
                waiting = asyncio.create_task(other.renew(house.destination_id, held["access_token"]))
                await tokens.save(house.destination_id, {"access_token": "from the worker"})
            found = await waiting
            assert found["access_token"] == "from the worker"
            assert found["refresh_token"] == held["refresh_token"]
            assert house.vendor.refreshes == 0

    asyncio.run(scenario())


@pytest.mark.skipif(bool(catalogue.missing()), reason=f"the catalogue is not built: {catalogue.missing()}")
def test_events_flow_over_ended_tokens_wait_while_they_are_refused_and_flow_after_a_new_grant(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as house:
            bench, vendor, there = house.bench, house.vendor, house.subscribed()
            house.grant(there)
            await bench.put(3, there)
            async with bench.delivering(PATIENT):
                await bench.until(lambda: len(vendor.taken) == 3)
                vendor.end_access()
                await bench.put(3, there, first=3)
                await bench.until(lambda: len(vendor.taken) == 6)
                assert vendor.refreshes == 1
                vendor.end_all()
                await bench.put(3, there, first=6)
                await bench.until(lambda: house.standing(there).state == "refused")
                await bench.put(2, there, first=9)
                await bench.until(lambda: bench.states().get("waiting") == 5)
                assert bench.destination(there).paused
                assert AGAIN in house.standing(there).detail
                house.grant(there)
                await bench.until(lambda: len(vendor.taken) == 11)
                await bench.until_committed()
                await bench.until(lambda: set(bench.states()) == {"delivered"})
            assert (await bench.books())[there] == {("matched", ""): 11, ("delivered", ""): 11}

    asyncio.run(scenario())


def _now() -> int:
    return time.time_ns() // 1_000_000
