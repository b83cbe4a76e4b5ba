"""What a destination would be sent for an event, and what it answers: nothing is counted, parked or kept."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manage_house import ManageHouse, running

from headwater.contracts.doubles import Answer, Recorder
from headwater.eventlog.streams import OUTCOMES, PROCESSED
from headwater.spec.settings import DeliverSettings
from headwater.store import backlogs, ledger

EVENT = {"type": "track", "event": "Order Completed", "userId": "u1"}


def open_house(folder: Path) -> ManageHouse:
    house = ManageHouse(folder)
    deliver = DeliverSettings(allowed_addresses=("127.0.0.0/8",))
    house.settings = msgspec.structs.replace(house.settings, deliver=deliver)
    return house


async def preview(house: ManageHouse, destination: str, event: Any = EVENT, *, send: bool = False) -> dict[str, Any]:
    path = f"/headwater/destinations/{destination}/preview"
    return (await house.ask("POST", path, {"event": event, "send": send})).data


def failed(shown: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["step"], step["reason"]) for step in shown["steps"] if not step["passed"]]


def test_a_preview_shows_the_request_with_its_secrets_hidden(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            hook = await house.webhook(await house.source(), sharedSecret="sesame", headers={"X-Key": "sesame"})
            shown = await preview(house, hook)
            assert [step["step"] for step in shown["steps"]] == [
                "source",
                "validation",
                "destination",
                "client side",
                "event type",
                "integrations",
                "settings",
                "request",
            ]
            assert failed(shown) == []
            (request,) = shown["requests"]
            assert (request["method"], request["url"]) == ("POST", "http://hook.test/")
            assert request["body"] == shown["event"]
            assert shown["event"]["messageId"]
            assert shown["event"]["timestamp"]
            assert (shown["sent"], shown["response"]) == (False, None)
            assert "sesame" not in msgspec.json.encode(shown).decode()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("event", "expected", "requests"),
    [
        ({"event": "A", "userId": "u"}, [], 1),
        ({"userId": "u"}, [("validation", "type_not_supported")], 0),
        ({"type": "track", "userId": "u"}, [("validation", "event_not_defined")], 0),
        ({**EVENT, "integrations": {"All": False}}, [("integrations", "FILTERED_BY_INTEGRATIONS_OBJECT")], 1),
        ({**EVENT, "_metadata": {"bundled": ["Webhook"]}}, [("client side", "MESSAGE_SENT_CLIENT_SIDE")], 1),
        ({**EVENT, "properties": {"x": "y" * 40_000}}, [("validation", "message_too_large")], 0),
    ],
)
def test_what_would_stop_an_event_is_told_and_then_it_is_not_sent(
    tmp_path: Path, event: dict[str, Any], expected: list[tuple[str, str]], requests: int
) -> None:
    async def scenario() -> None:
        async with running(open_house(tmp_path)) as house, Recorder() as recorder:
            made = await house.source()
            hook = await house.webhook(made, url=recorder.url("/hook"))
            await house.ask("PATCH", f"/destinations/{hook}", {"name": "Webhook"})
            for send in (False, True):
                shown = await preview(house, hook, event, send=send)
                assert failed(shown) == expected
                assert len(shown["requests"]) == requests
                assert shown["sent"] is (send and not expected)
                assert all(step["meaning"] for step in shown["steps"] if not step["passed"])
            assert len(recorder.requests) == (0 if expected else 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "status", "step", "reason"),
    [
        (Answer(status=200, body=b'{"ok":true,"echo":"sesame"}'), 200, "delivered", ""),
        (Answer(status=404), 404, "failed_delivery", "NOT_FOUND"),
        (Answer(status=503), 503, "pending", "RETRY"),
        (Answer(mischief="half"), 0, "pending", "UNREACHABLE"),
    ],
)
def test_an_event_that_is_sent_shows_the_answer_and_what_it_means(
    tmp_path: Path, answer: Answer, status: int, step: str, reason: str
) -> None:
    async def scenario() -> None:
        async with running(open_house(tmp_path)) as house, Recorder() as recorder:
            recorder.script("/hook", answer)
            source = await house.source()
            hook = await house.webhook(source, url=recorder.url("/hook"), sharedSecret="sesame", batch_size=100)
            shown = await preview(house, hook, send=True)
            response = shown["response"]
            assert (response["status"], response["step"], response["reason"]) == (status, step, reason)
            assert bool(response["meaning"]) is bool(reason)
            assert response["took"] > 0
            assert "sesame" not in msgspec.json.encode(shown).decode()
            assert len(recorder.requests) == 1
            assert recorder.requests[0].json()[0]["event"] == "Order Completed"
            trail = await house.ask("GET", "/audit-events")
            assert trail.data["events"][0]["type"] == "Integration Tested"
            assert house.store.run(ledger.standing) == []
            assert house.store.run(backlogs.sizes) == {}
            assert [(await house.log.bounds(stream, 0))[1] for stream in (PROCESSED, OUTCOMES)] == [0, 0]

    asyncio.run(scenario())


def test_another_house_can_be_tried_before_it_is_switched_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(open_house(tmp_path)) as house, Recorder() as recorder:
            recorder.script("/v1/batch", Answer(status=401))
            body = {
                "sourceId": await house.source(),
                "metadataId": "headwater",
                "settings": {"endpoint": recorder.url("/"), "writeKey": "a-secret-key"},
                "enabled": False,
            }
            made = (await house.ask("POST", "/destinations", body)).data["destination"]["id"]
            shown = await preview(house, made, send=True)
            assert failed(shown) == [("destination", "UNKNOWN_INTEGRATION")]
            assert shown["steps"][2]["meaning"] == "The destination is switched off."
            assert shown["requests"][0]["body"]["batch"][0]["event"] == "Order Completed"
            assert "a-secret-key" not in msgspec.json.encode(shown).decode()
            response = shown["response"]
            assert (response["status"], response["step"], response["reason"]) == (401, "pending", "PAUSED")
            after = await house.ask("GET", f"/destinations/{made}")
            assert after.data["destination"]["paused"] is False

    asyncio.run(scenario())


def test_a_private_address_is_not_reached_by_a_preview_either(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, Recorder() as recorder:
            hook = await house.webhook(await house.source(), url=recorder.url("/hook"))
            shown = await preview(house, hook, send=True)
            assert (shown["response"]["step"], shown["response"]["reason"]) == ("failed_delivery", "PRIVATE_ADDRESS")
            assert recorder.requests == []
            reader = house.token("Reader", "destinations:read")
            path = f"/headwater/destinations/{hook}/preview"
            assert (await house.ask("POST", path, {"event": EVENT}, token=reader)).status == 401
            assert (await house.ask("POST", "/headwater/destinations/none/preview", {"event": EVENT})).status == 404
            assert (await house.ask("POST", path, {"event": "text"})).status == 422

    asyncio.run(scenario())
