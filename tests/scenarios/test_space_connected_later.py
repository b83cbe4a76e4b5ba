"""A source that a space takes later: what the space knows of what was before, and how its past gets there."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from computing_house import AT, DAY, House

from headwater.destinations.headwater import send
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.known import decode, traits, unite
from headwater.spec.destination import Item, Request
from headwater.spec.event import decode_processed
from headwater.store import components, known
from headwater.store import workspace as workspaces


async def sent_on(house: House, write_key: str) -> list[dict[str, Any]]:
    """What the destination `headwater` sends of all that was published."""
    chunk = await house.log.read(PROCESSED, 0, 0)
    items: list[Item] = []
    for position, record in chunk.placed():
        header = decode_processed(record.header)
        items.append(Item(record.value, header.type, header.name, header.message_id, position, header.received_at))
    request = next(send({"endpoint": "http://house.test", "writeKey": write_key}, items))
    assert isinstance(request, Request)
    assert isinstance(request.body, bytes)
    return msgspec.json.decode(request.body)["batch"]


def test_the_past_of_a_source_is_brought_in_through_another_one_after_the_window_of_duplicates(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        web = house.source_id
        late = house.store.run(lambda one: workspaces.create_space(one, slug="late", name="Late", all_sources=False).id)

        def member(connection: Any) -> str | None:
            return components.canonical(connection, late, "user_id:u")

        person = {"type": "identify", "userId": "u", "traits": {"plan": "pro"}}
        await house.work(person, {"userId": "u", "event": "Paid"})
        house.source_id = house.store.run(lambda one: workspaces.create_source(one, slug="past", name="Past").id)
        taken = (web, house.source_id)
        house.store.run(lambda one: workspaces.update_space(one, late, source_ids=taken))
        await house.work()
        assert house.store.run(member) is None, "a source brings nothing of what was before"

        past = await sent_on(house, "the key of Past")
        await house.work(*past)
        assert house.store.run(member) is None, "within the window these are duplicates"

        house.now += DAY + 60_000
        await house.work(*past)
        found = house.store.run(member)
        assert found is not None
        state = unite(map(decode, house.store.run(lambda one: known.of_people(one, [found]))[found]))
        assert state is not None
        assert state.names == {"Paid": 1}
        [plan] = traits(state).values()
        assert (plan.value, plan.mark.at) == (b'"pro"', AT), "as of when it happened"

    asyncio.run(story())
