"""Whatever comes, and wherever the fold ends and begins again: values are what the definitions say of all events."""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from computing_house import House, moves
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.items import item_of
from headwater.profiles.language import Compiled, compile_query, parse
from headwater.profiles.tell import tell
from headwater.spec.computation import Kind, holds
from headwater.spec.event import decode_processed
from headwater.store import accounts, people

HOUR = 3_600_000
AUDIENCES = {
    "busy": "event('Order').within(6 hours).count() >= 2",
    "payer": "event('Order').count() >= 1 AND trait('plan') = 'pro'",
    "looked": "event('Page Viewed').between(2 hours, 9 hours).count() >= 1 AND trait('busy') = 'true'",
    "quiet": "NOT event('Order').within(3 hours).count() >= 1",
    "left": "event('Page Viewed').where(NOT event('Order').within(parent: 4 hours).count() >= 1).count() >= 2",
    "crowded": "trait('crowd') = true AND event('Order').count() >= 1",
}
ENOUGH = "event('Order').within(9 hours).count() >= 2"
"""What one of an account's people must have done, that the account is in the audience `crowd`."""

TRAITS = {
    "spent": "event('Order').within(12 hours).sum(property('total'))",
    "orders": "event('Order').count()",
    "gift": "event('Order').last(property('gift'))",
    "present": "event('Order').within(12 hours).last(property('gift'))",
}

people_ids = st.fixed_dictionaries(
    {}, optional={"userId": st.sampled_from(["u1", "u2"]), "anonymousId": st.sampled_from(["a1", "a2", "a3"])}
).filter(bool)
events = st.one_of(
    st.builds(
        lambda who, total, gift: {"event": "Order", "properties": {"total": total, "gift": gift}, **who},
        people_ids,
        st.integers(1, 9),
        st.booleans(),
    ),
    st.builds(lambda who: {"type": "page", "event": None, **who}, people_ids),
    st.builds(
        lambda who, plan: {"type": "identify", "event": None, "traits": {"plan": plan}, **who},
        people_ids,
        st.sampled_from(["pro", "free", None]),
    ),
    st.builds(
        lambda who, group: {"type": "group", "event": None, "groupId": group, **who},
        people_ids,
        st.sampled_from(["g1", "g2"]),
    ),
)
steps = st.lists(
    st.one_of(
        events,
        st.builds(lambda hours: hours * HOUR, st.integers(1, 5)),
        st.sampled_from(["fold", "fold", "die", "before telling", "told"]),
    ),
    min_size=5,
    max_size=30,
)


async def live(house: House, story: list[Any]) -> list[dict[str, Any]]:
    """Have it all happen; returns what the space said, each call once."""
    await house.process()
    await house.fold()
    for step in [*story, *["fold", 1] * 6, "fold"]:  # people are asked of their accounts after these
        if isinstance(step, dict):
            await house.collect(step)
        elif isinstance(step, int):
            house.now += step
        else:
            await house.process()
            await house.fold(dies=step if step != "fold" else None)
    said = {each["messageId"]: each for each in await house.said()}
    return list(said.values())


async def truth(house: House) -> dict[str, dict[str, Any]]:
    """What the definitions say of everybody, by canonical profile."""
    compiled = {key: compile_query(parse(query)) for key, query in (TRAITS | AUDIENCES).items()}
    found: defaultdict[str, list[Any]] = defaultdict(list)
    plans: dict[str, tuple[Any, Any]] = {}
    for place, record in enumerate((await house.log.read(PROCESSED, 0, 0, max_bytes=10**9)).records):
        for id, told in tell(record, place):
            found[id].append(item_of(decode_processed(record.header), record.value, told.mark.at))
            for value in (told.traits or {}).values():
                plans[id] = max(plans.get(id, (told.mark, b"")), (told.mark, bytes(value)))
    canonical, whole = house.store.run(lambda one: people.look(one, found, {}))
    crowd = house.store.run(lambda one: crowded(one, house.now, found, canonical))
    truths: dict[str, dict[str, Any]] = {}
    for id in {id for id in canonical.values() if whole[id].collection == "users"}:
        items = [item for member, theirs in found.items() if canonical[member] == id for item in theirs]
        plan = max((plans[member] for member in plans if canonical[member] == id), default=(None, b"null"))[1]
        traits: dict[str, Any] = {"plan": msgspec.json.decode(plan), "crowd": id in crowd}
        known = {each.partition(":")[0] for each in whole[id].identifiers}
        for key, one in compiled.items():
            value = _value(one, items, traits, house.now)
            if holds(kind_of(key), value) and (key in TRAITS or known & {"user_id", "anonymous_id"}):
                traits[key] = value
        del traits["plan"], traits["crowd"]
        truths[id] = traits
    return truths


def crowded(connection: Any, now: int, found: dict[str, list[Any]], canonical: dict[str, str]) -> set[str]:
    """The people of accounts of which somebody did enough."""
    compiled = compile_query(parse(ENOUGH))
    mine: defaultdict[str, list[Any]] = defaultdict(list)
    for member, items in found.items():
        mine[canonical[member]] += items
    busy = [id for id, items in mine.items() if _value(compiled, items, {}, now)]
    theirs = accounts.accounts_of(connection, busy)
    return {user for those in theirs.values() for id in those for user in accounts.users_of(connection, id)}


def kind_of(key: str) -> Kind:
    return "trait" if key in TRAITS else "audience"


def _value(compiled: Compiled, items: list[Any], traits: dict[str, Any], now: int) -> Any:
    state = compiled.new_state()
    for item in items:
        compiled.fold(state, item)
    return compiled.value(state, traits, now)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=steps)
def test_values_are_what_the_definitions_say_and_everybody_hears_of_each_change_once(story: list[Any]) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder))
            made = [house.define(key, query, known_by=("user_id", "anonymous_id")) for key, query in AUDIENCES.items()]
            made += [house.define(key, query, kind="trait") for key, query in TRAITS.items()]
            house.define("crowd", f"ANY {ENOUGH}", level="ACCOUNTS", told=False)
            said = await live(house, story)
            truths = await truth(house)
            identifiers = house.store.run(lambda one: people.look(one, truths, {}))[1]
            for id, expected in truths.items():
                values = {key: value for key, value in house.values_of(id).items() if holds(kind_of(key), value)}
                assert values == expected
            sizes = {each.key: house.run(each).size for each in made}
            assert sizes == {key: sum(key in each for each in truths.values()) for key in sizes}
            told: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
            for who, key, value in moves(said):
                told[who, key].append(value)
            for id, one in identifiers.items():
                for who in (each.partition(":")[2] for each in one.identifiers):
                    for key in AUDIENCES:
                        heard = told[who, key]
                        assert heard == [place % 2 == 0 for place in range(len(heard))], (who, key)
                        assert (heard[-1:] == [True]) == (key in truths[id]), (who, key)
            house.store.close()

    asyncio.run(scenario())
