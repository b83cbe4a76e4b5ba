"""Failures with their payloads, the trace of one event, and sending failed deliveries again."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

from manage_house import NOW, ManageHouse, running

from headwater.spec.outcome import AttemptNote, SetAside, Step
from headwater.store import parked

SINCE = "since=2001-01-01T00:00:00Z"


def refused(message_id: str, reason: str = "event_not_defined", source_id: str = "s", position: int = 0) -> SetAside:
    payload = json.dumps({"messageId": message_id}).encode()
    return SetAside(position, Step.FAILED_ON_INGEST, reason, source_id, message_id, payload=payload)


def row(destination_id: str, message_id: str, position: int, state: parked.State = "failed") -> parked.ParkedDelivery:
    return parked.ParkedDelivery(
        id=parked.delivery_id(destination_id, 0, position),
        destination_id=destination_id,
        source_id="s",
        partition=0,
        position=position,
        message_id=message_id,
        event_type="track",
        event_name="E",
        received_at=NOW,
        payload=json.dumps({"messageId": message_id}).encode(),
        state=state,
        reason="UNAUTHORIZED",
        counted_at=NOW,
        parked_reason="RETRY",
        detail="401",
        attempts=1,
        notes=[{"at": NOW + 5, "took": 3, "step": "failed_delivery", "reason": "UNAUTHORIZED", "status": 401}],
        parked_at=NOW + position,
        due_at=NOW,
        expires_at=NOW,
        ended_at=NOW if state == "failed" else None,
    )


def test_failures_are_listed_newest_first_with_what_was_received(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for number in range(7):
                pair = [refused(f"m{number}a"), refused(f"m{number}b", "no_user_anon_id", "t")]
                await house.outcome("pipeline", set_aside=pair, at=NOW + number)
            path = "/headwater/failures"
            first = (await house.ask("GET", f"{path}?pagination.count=3")).data
            assert [one["messageId"] for one in first["failures"]] == ["m6b", "m6a", "m5b"]
            assert first["failures"][1]["payload"] == {"messageId": "m6a"}
            assert first["failures"][1]["meaning"] == "A track call has no event."
            seen, page = list(first["failures"]), first["pagination"]
            while "next" in page:
                data = (await house.ask("GET", f"{path}?pagination.count=3&pagination.cursor={page['next']}")).data
                seen, page = seen + data["failures"], data["pagination"]
            assert [one["messageId"] for one in seen] == [f"m{n}{x}" for n in range(6, -1, -1) for x in "ba"]
            some = (await house.ask("GET", f"{path}?sourceId=t&reason=no_user_anon_id")).data["failures"]
            assert [one["messageId"] for one in some] == [f"m{n}b" for n in range(6, -1, -1)]
            assert (await house.ask("GET", f"{path}?pagination.cursor=nonsense")).status == 422

    asyncio.run(scenario())


def test_failures_of_several_partitions_come_in_order_of_time_and_each_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path, partitions=3)) as house:
            for number in range(12):
                await house.outcome(
                    "pipeline", set_aside=[refused(f"m{number}")], at=NOW + number, partition=number % 3
                )
            seen: list[str] = []
            query = "pagination.count=5"
            while query:
                data = (await house.ask("GET", f"/headwater/failures?{query}")).data
                seen += [one["messageId"] for one in data["failures"]]
                following = data["pagination"].get("next")
                query = f"pagination.count=5&pagination.cursor={following}" if following else ""
            assert seen == [f"m{number}" for number in range(11, -1, -1)]

    asyncio.run(scenario())


def test_a_trace_tells_the_whole_way_of_an_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            destination = await house.webhook(source)
            await house.collect(source, "other")
            await house.collect(source, "m1")
            await house.process(source, "other", "m1", destinations=(destination,))
            attempts = [
                AttemptNote(destination, [0, 1], NOW + 1, 9, Step.PENDING, "TIMEOUT", request="POST", attempt=1),
                AttemptNote(destination, [1], NOW + 2, 9, Step.DELIVERED, status=200, response="ok", attempt=2),
                AttemptNote(destination, [0], NOW + 3, 9, Step.DELIVERED, status=200, attempt=2),
            ]
            await house.outcome("deliver", attempts=attempts)
            trace = (await house.ask("GET", "/headwater/trace/m1")).data
            assert (trace["received"]["position"], trace["processed"]["position"]) == (1, 1)
            assert trace["processed"]["event"]["messageId"] == "m1"
            (told,) = trace["destinations"]
            assert (told["state"], told["definition"]) == ("delivered", "webhook")
            assert [(one["step"], one["status"]) for one in told["attempts"]] == [("pending", 0), ("delivered", 200)]
            assert told["attempts"][0]["meaning"] == "The destination did not answer in time."

    asyncio.run(scenario())


def test_a_trace_knows_what_is_parked_with_all_its_attempts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            destination = await house.webhook(source)
            await house.process(source, "m1", destinations=(destination,))
            first = AttemptNote(destination, [0], NOW + 1, 9, Step.PENDING, "TIMEOUT", attempt=1)
            await house.outcome("deliver", attempts=[first])
            house.store.run(lambda connection: parked.park(connection, [row(destination, "m1", 0)]))
            (told,) = (await house.ask("GET", "/headwater/trace/m1")).data["destinations"]
            assert (told["state"], told["reason"]) == ("failed_delivery", "UNAUTHORIZED")
            assert [one["reason"] for one in told["attempts"]] == ["TIMEOUT", "UNAUTHORIZED"]
            assert told["parked"][0]["event"] == {"messageId": "m1"}

    asyncio.run(scenario())


def test_a_trace_of_a_refused_event_says_why_and_shows_what_came(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.collect("s", "bad")
            await house.outcome("pipeline", set_aside=[refused("bad")])
            trace = (await house.ask("GET", f"/headwater/trace/bad?{SINCE}")).data
            assert trace["processed"] is None
            assert trace["received"]["sourceId"] == "s"
            assert trace["outcomes"][0]["reason"] == "event_not_defined"
            assert trace["outcomes"][0]["payload"] == {"messageId": "bad"}
            assert (await house.ask("GET", f"/headwater/trace/never?{SINCE}")).status == 404

    asyncio.run(scenario())


def test_an_event_refused_before_it_was_read_is_found_by_what_was_received(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            nameless = SetAside(0, Step.FAILED_ON_INGEST, "bad_request", "s", payload=b'{"messageId":"m1","type":3}')
            unreadable = SetAside(0, Step.FAILED_ON_INGEST, "bad_request", "s", payload=b'{"messageId":"m1"')
            await house.outcome("pipeline", set_aside=[unreadable, nameless])
            (told,) = (await house.ask("GET", f"/headwater/trace/m1?{SINCE}")).data["outcomes"]
            assert told["payload"] == {"messageId": "m1", "type": 3}

    asyncio.run(scenario())


def test_a_message_id_may_hold_anything(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for message_id in ("a/b c", "a//b", "100%", "ü?#", "../../sources"):
                await house.process("s", message_id)
                trace = await house.ask("GET", f"/headwater/trace/{quote(message_id, safe='')}")
                assert trace.data["messageId"] == message_id

    asyncio.run(scenario())


def test_failed_deliveries_are_counted_sent_again_and_audited(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            destination = await house.webhook(await house.source())
            rows = [row(destination, f"m{number}", number) for number in range(5)]
            rows.append(row("other", "m9", 9))
            house.store.run(lambda connection: parked.park(connection, rows))
            listed = (await house.ask("GET", f"/headwater/parked?destinationId={destination}&pagination.count=3")).data
            assert [one["messageId"] for one in listed["deliveries"]] == ["m4", "m3", "m2"]
            rest = f"/headwater/parked?destinationId={destination}&pagination.cursor={listed['pagination']['next']}"
            assert [one["messageId"] for one in (await house.ask("GET", rest)).data["deliveries"]] == ["m1", "m0"]
            body = {"destinationId": destination, "reason": "UNAUTHORIZED"}
            counted = await house.ask("POST", "/headwater/redrive", {**body, "dryRun": True})
            assert (counted.data["deliveries"], counted.data["dryRun"], counted.data["remaining"]) == (5, True, 0)
            assert (await house.ask("POST", "/headwater/redrive", body)).data["deliveries"] == 5
            assert (await house.ask("POST", "/headwater/redrive", body)).data["deliveries"] == 0
            waiting = (await house.ask("GET", "/headwater/parked?state=waiting")).data["deliveries"]
            assert len(waiting) == 5
            types = [one["type"] for one in (await house.ask("GET", "/audit-events")).data["events"]]
            assert types.count("Deliveries Redriven") == 1
            assert (await house.ask("POST", "/headwater/redrive", {"destinationId": "none"})).status == 404

    asyncio.run(scenario())
