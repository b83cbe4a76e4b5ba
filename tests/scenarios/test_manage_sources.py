"""Sources, their write keys and labels over HTTP."""

import asyncio
from pathlib import Path

from manage_house import ManageHouse, running


def test_a_source_is_made_shown_changed_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            made = await house.ask("POST", "/sources", {"slug": "web", "metadataId": "javascript", "enabled": True})
            assert made.status == 201
            source = made.data["source"]
            assert len(source["writeKeys"]) == 1
            path = f"/sources/{source['id']}"
            shown = await house.ask("GET", path)
            assert shown.data == {"source": source, "trackingPlanId": None}
            changed = await house.ask("PATCH", path, {"name": "Website", "settings": {"a": 1}})
            assert (changed.data["source"]["name"], changed.data["source"]["settings"]) == ("Website", {"a": 1})
            assert (await house.ask("PATCH", path, {})).data == changed.data
            assert (await house.ask("DELETE", path)).data == {"status": "SUCCESS"}
            assert (await house.ask("DELETE", path)).status == 404
            assert (await house.ask("GET", path)).status == 404

    asyncio.run(scenario())


def test_slugs_are_unique_also_as_names_of_warehouse_schemas(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.source("my-site")
            for slug in ("my-site", "my_site", "MySite"):
                body = {"slug": slug, "metadataId": "javascript", "enabled": True}
                refused = await house.ask("POST", "/sources", body)
                assert (refused.status, refused.errors[0]["field"]) == (409, "slug"), slug
            other = await house.source("shop")
            assert (await house.ask("PATCH", f"/sources/{other}", {"slug": "my.site"})).status == 409
            assert (await house.ask("PATCH", f"/sources/{other}", {"slug": "shop"})).status == 200

    asyncio.run(scenario())


def test_what_is_wrong_with_a_source_is_said_all_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            refused = await house.ask("POST", "/sources", {"enabled": True})
            assert refused.status == 422
            assert [one["message"] for one in refused.errors] == ['"slug" is required', '"metadataId" is required']
            assert {one["type"] for one in refused.errors} == {"input-validation"}
            unknown = await house.ask("POST", "/sources", {"slug": "x", "metadataId": "carrier-pigeon"})
            assert (unknown.status, unknown.errors[0]["field"]) == (422, "metadataId")
            for slug in ("", "a b", "../etc", "x" * 101, None, 7):
                body = {"slug": slug, "metadataId": "javascript"}
                assert (await house.ask("POST", "/sources", body)).status == 422, slug

    asyncio.run(scenario())


def test_write_keys_are_made_removed_and_shown_only_to_those_who_may_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            path = f"/sources/{source}/writekey"
            keys = (await house.ask("POST", path)).data["source"]["writeKeys"]
            assert len(keys) == 2
            assert (await house.ask("DELETE", f"{path}/{keys[0]}")).data == {"status": "SUCCESS"}
            assert (await house.ask("DELETE", f"{path}/{keys[0]}")).status == 404
            assert (await house.ask("GET", f"/sources/{source}")).data["source"]["writeKeys"] == keys[1:]
            reader = house.token("Reader", "sources:read")
            assert (await house.ask("GET", "/sources", token=reader)).data["sources"][0]["writeKeys"] == []

    asyncio.run(scenario())


def test_sources_are_listed_a_page_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            made = [await house.source(f"s{number}") for number in range(5)]
            seen: list[str] = []
            query = "pagination%5Bcount%5D=2"
            while query:
                data = (await house.ask("GET", f"/sources?{query}")).data
                seen += [one["id"] for one in data["sources"]]
                following = data["pagination"].get("next")
                query = f"pagination.count=2&pagination.cursor={following}" if following else ""
            assert seen == made
            assert (await house.ask("GET", "/sources?pagination.count=0")).status == 422
            assert (await house.ask("GET", "/sources?pagination.cursor=nonsense!")).status == 422

    asyncio.run(scenario())


def test_labels_are_added_and_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            path = f"/sources/{await house.source()}/labels"
            first = {"key": "environment", "value": "prod"}
            second = {"key": "region", "value": "a/b c", "description": "Where"}
            await house.ask("POST", path, {"labels": [first]})
            assert (await house.ask("POST", path, {"labels": [second, first]})).data["labels"] == [first, second]
            assert (await house.ask("PUT", path, {"labels": [second]})).data["labels"] == [second]
            assert (await house.ask("GET", path.removesuffix("/labels"))).data["source"]["labels"] == [second]

    asyncio.run(scenario())
