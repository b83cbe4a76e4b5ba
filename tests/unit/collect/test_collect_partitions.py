"""Several partitions: an event's place is a function of the event alone."""

import asyncio
import json
from typing import Any

from collect_doubles import Api, BrokenLog, basic

KEY: dict[str, str | list[str]] = {"authorization": basic("k1")}


async def partitions_with(api: Api, count: int) -> dict[int, list[Any]]:
    found = {}
    for partition in range(count):
        if kept := await api.kept(partition):
            found[partition] = [json.loads(record.value) for _, record in kept]
    return found


def test_a_users_events_go_to_one_partition_whatever_call_they_come_in() -> None:
    async def run() -> dict[int, list[Any]]:
        api = Api(partitions=8)
        await api.send("/v1/track", b'{"userId":"u1","event":"E"}', headers=KEY)
        await api.send("/v1/identify", b'{"userId":"u1","anonymousId":"other"}', headers=KEY)
        await api.send("/v1/batch", b'{"batch":[{"type":"page","userId":"u1"}]}', headers=KEY)
        return await partitions_with(api, 8)

    assert len(asyncio.run(run())) == 1


def test_a_batch_is_split_by_user_with_its_envelope_and_order() -> None:
    items = [{"type": "track", "userId": f"u{number % 5}", "event": str(number)} for number in range(50)]
    envelope = {"sentAt": "2024-01-01T00:00:00Z", "context": {"a": 1}, "integrations": {"All": False}, "batch": items}

    async def run() -> dict[int, list[Any]]:
        api = Api(partitions=4)
        assert (await api.send("/v1/batch", json.dumps(envelope).encode(), headers=KEY)).status == 200
        return await partitions_with(api, 4)

    found = asyncio.run(run())
    assert len(found) > 1
    events: list[Any] = []
    for records in found.values():
        assert len(records) == 1, "one record for each partition"
        assert {key: records[0][key] for key in ("sentAt", "context", "integrations")} == {
            key: envelope[key] for key in ("sentAt", "context", "integrations")
        }
        numbers = [int(item["event"]) for item in records[0]["batch"]]
        assert numbers == sorted(numbers)
        events += records[0]["batch"]
    assert sorted(events, key=lambda item: int(item["event"])) == items


def test_items_that_cannot_be_read_stay_with_the_batch() -> None:
    async def run() -> int:
        api = Api(partitions=4)
        body = b'{"batch":[5,null,{"userId":7},{"anonymousId":"a"},"x"]}'
        assert (await api.send("/v1/batch", body, headers=KEY)).status == 200
        return sum(len(value["batch"]) for values in (await partitions_with(api, 4)).values() for value in values)

    assert asyncio.run(run()) == 5


def test_requests_that_wait_at_the_same_moment_share_appends_and_keep_their_order() -> None:
    async def run() -> None:
        log = BrokenLog()
        api = Api(log)
        log.flowing.clear()
        bodies = [json.dumps({"userId": "u", "event": str(number)}).encode() for number in range(40)]
        first = asyncio.create_task(api.send("/v1/track", bodies[0], headers=KEY))
        while not log.appends:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(api.send("/v1/track", body, headers=KEY)) for body in bodies[1:]]
        await asyncio.sleep(0)
        log.flowing.set()
        await asyncio.gather(first, *rest)
        assert log.appends == 2
        assert [record.value for _, record in await api.kept()] == bodies

    asyncio.run(run())
