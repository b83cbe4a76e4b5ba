"""What destinations of the catalogue are asked through operations: credentials, choices, audiences and hooks.

Klaviyo and Braze stand for all; what they say is said here.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from catalogue_house import Tool, answer
from crm_house import CrmDesk, with_crm

from headwater import catalogue
from headwater.catalogue import Workers
from headwater.contracts.doubles import Recorder
from headwater.contracts.shape import open_store
from headwater.deliver.performing import performing
from headwater.deliver.tokens import Tokens
from headwater.deliver.writers import Writers, address_guard
from headwater.manage.trials import Open, Trials
from headwater.spec.destination import NoAnswer
from headwater.spec.settings import CatalogueSettings, Settings
from headwater.store.secrets import Secrets

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

KEY = "pk_0123456789"


class ToolTrials(Trials):
    """Trials whose way out is a tool, over one worker."""

    def __init__(self, folder: Path, tool: Tool, workers: Workers) -> None:
        store, secrets = open_store(folder), Secrets.from_file(folder / "secret.key")
        super().__init__(Settings(), store, secrets)
        tokens = Tokens(store, secrets, tool)
        writers = Writers(address_guard())
        self._made = Open(tool, performing(workers, writers, tokens), workers, writers, tokens)

    @asynccontextmanager
    async def ports(self) -> AsyncGenerator[Open]:
        yield self._made


@asynccontextmanager
async def asked(folder: Path, tool: Tool) -> AsyncGenerator[CrmDesk]:
    async with (
        Workers(CatalogueSettings()) as workers,
        with_crm(folder, trials=ToolTrials(folder, tool, workers)) as crm,
    ):
        yield crm


def klaviyo(request: Any) -> Any:
    """What Klaviyo says."""
    given = {name.lower(): value for name, value in request.headers.items()}["authorization"]
    if given != f"Klaviyo-API-Key {KEY}":
        return answer(401, {"errors": [{"detail": f"no {given}"}]})
    if request.method == "GET" and "/lists" in request.url and not request.url.rstrip("/").endswith("l2"):
        lists = [{"type": "list", "id": "l1", "attributes": {"name": f"Friends {KEY}"}}]
        return answer(200, {"data": lists, "links": {"next": ""}})
    if request.method == "POST" and "/lists" in request.url:
        return answer(201, {"data": {"id": "l2", "type": "list", "attributes": {"name": "New"}}})
    return answer(200, {"data": {"id": "l2"}})


def test_a_destination_is_asked_for_credentials_choices_and_audiences(tmp_path: Path) -> None:
    async def scenario() -> None:
        tool = Tool(by=klaviyo)
        async with asked(tmp_path, tool) as crm:
            one = await crm.connect("actions-klaviyo", api_key=KEY)
            path = f"/headwater/destinations/{one}"
            accepted = await crm.ask("POST", f"{path}/authentication")
            assert accepted.data == {"tested": True, "accepted": True, "message": ""}

            body = {"actionId": "upsertProfile", "field": "list_id"}
            choices = (await crm.ask("POST", f"{path}/field-choices", body)).data
            assert choices["choices"] == [{"value": "l1", "label": "Friends [redacted]"}]
            assert choices["error"] == ""
            unknown = await crm.ask("POST", f"{path}/field-choices", body | {"field": "email"})
            assert (unknown.data["choices"], bool(unknown.data["error"])) == ([], True)

            made = await crm.ask("POST", f"{path}/audiences", {"name": "New"})
            assert made.data == {"externalId": "l2"}
            found = await crm.ask("POST", f"{path}/audiences/find", {"externalId": "l2"})
            assert found.data == {"externalId": "l2"}
            trail = (await crm.ask("GET", "/audit-events")).data["events"]
            assert [each["type"] for each in trail[:2]] == ["Integration Modified", "Integration Created"]

            await crm.ask("PATCH", f"/destinations/{one}", {"settings": {"api_key": "pk_another_one"}})
            refused = (await crm.ask("POST", f"{path}/authentication")).data
            assert (refused["tested"], refused["accepted"], bool(refused["message"])) == (True, False, True)
            assert "pk_another_one" not in refused["message"]
            hook = await crm.connect("webhook")
            assert (await crm.ask("POST", f"/headwater/destinations/{hook}/authentication")).data["tested"] is False
            assert (await crm.ask("POST", f"/headwater/destinations/{hook}/audiences", {"name": "N"})).status == 422

    asyncio.run(scenario())


def test_why_there_are_no_choices_is_told_in_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asked(tmp_path, Tool(NoAnswer("UNREACHABLE", "nobody listens there"))) as crm:
            settings = {"app_id": "a", "endpoint": "https://rest.iad-01.braze.com"}
            one = await crm.connect("actions-braze-cloud", api_key=KEY, **settings)
            path = f"/headwater/destinations/{one}/field-choices"
            body = {"actionId": "upsertCatalogItem", "field": "item.__keys__"}
            told = (await crm.ask("POST", path, body)).data
            assert (told["choices"], told["error"]) == ([], "nobody listens there")

    asyncio.run(scenario())


def test_what_a_hook_of_an_action_answers_is_kept_with_the_subscription(tmp_path: Path) -> None:
    async def scenario() -> None:
        tool = Tool(by=lambda request: answer(201, {"message": "success"}))
        async with asked(tmp_path, tool) as crm:
            settings = {"app_id": "a", "endpoint": "https://rest.iad-01.braze.com"}
            one = await crm.connect("actions-braze-cloud", api_key=KEY, **settings)
            body: dict[str, Any] = {"name": "C", "actionId": "upsertCatalogItem", "trigger": 'type = "track"'}
            path = f"/destinations/{one}/subscriptions"
            made = (await crm.ask("POST", path, body | {"enabled": True})).data["destinationSubscription"]
            inputs = {
                "operation": "create",
                "created_catalog_name": "shop",
                "columns": [{"name": "price", "type": "number"}],
            }
            hook = f"/headwater{path}/{made['id']}/hooks/onMappingSave"
            kept = (await crm.ask("POST", hook, {"inputs": inputs})).data["subscription"]
            assert kept["hooks"] == {"onMappingSave": {"catalog_name": "shop"}}
            assert (await crm.ask("POST", hook.replace("onMappingSave", "other"), {})).status == 422

            mapping = {"item": {"price": 3}, "item_id": "i1", "__segment_internal_sync_mode": "upsert"}
            await crm.ask("PATCH", f"{path}/{made['id']}", {"input": {"settings": mapping}})
            event = {"type": "track", "event": "E", "userId": "u"}
            body = {"event": event, "subscription": {"id": made["id"]}}
            (shown,) = (await crm.ask("POST", f"/headwater/destinations/{one}/preview", body)).data["subscriptions"]
            assert [each["url"] for each in shown["requests"]] == [
                "https://rest.iad-01.braze.com/catalogs/shop/items/i1"
            ]
            assert KEY not in msgspec.json.encode(shown).decode()

    asyncio.run(scenario())


def test_the_catalogue_is_listed_in_short_and_searched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm, Recorder():
            every = (await crm.ask("GET", "/headwater/catalog/destinations?pagination.count=1000")).data
            assert every["pagination"]["totalEntries"] == len(every["destinations"]) > 200
            assert (every["missing"], "Email" in " ".join(every["categories"])) == ("", True)
            some = (await crm.ask("GET", "/headwater/catalog/destinations?search=klaviyo")).data["destinations"]
            assert [one["slug"] for one in some] == ["actions-klaviyo"]
            assert (some[0]["available"], some[0]["authentication"], some[0]["actions"] > 3) == (True, "custom", True)
            direct = (await crm.ask("GET", "/headwater/catalog/destinations?search=kafka")).data["destinations"]
            assert {one["available"] for one in direct if one["direct"]} == {False}
            page = (await crm.ask("GET", "/catalog/destinations?pagination.count=3")).data
            assert len(page["destinationsCatalog"]) == 3

    asyncio.run(scenario())


def test_a_destination_that_leaves_its_events_to_segments_platform_cannot_be_connected(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            found = (await crm.ask("GET", "/headwater/catalog/destinations?search=segment")).data["destinations"]
            left = {one["slug"]: one["available"] for one in found if one["slug"].startswith("actions-segment")}
            assert left == {"actions-segment": False, "actions-segment-profiles": False}
            wanted = {"sourceId": crm.source, "metadataId": "actions-segment", "settings": {"source_write_key": "k"}}
            refused = await crm.ask("POST", "/destinations", wanted)
            assert (refused.status, refused.errors[0]["field"]) == (422, "metadataId")
            assert "use the destination Headwater instead" in refused.errors[0]["message"]

    asyncio.run(scenario())
