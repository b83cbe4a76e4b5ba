"""What a tester would try of audiences (contract: profiles-governance 3.15): who is told what, under which names."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from computing_house import DAY, House, moves, traits_told

from headwater.profiles.computing.past import Wanted
from headwater.spec.computation import Call, Connection, IdSync, default_calls
from headwater.spec.timestamps import format_moment
from headwater.store import computations

ORDERS = "event('Order').within(7 days).count() >= 1"
CALLS = default_calls("audience", "USERS")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def connection(id: str, **fields: Any) -> Connection:
    return Connection(id=f"con_{id}", destination_id=id, **{"calls": CALLS, **fields})


def heard(said: list[dict[str, Any]], destination_id: str, kind: str = "track") -> list[dict[str, Any]]:
    """What one destination is told with calls of a type."""
    return [each for each in said if each["integrations"].get(destination_id) and each["type"] == kind]


def ids(message: dict[str, Any]) -> tuple[str, ...]:
    """The identifiers that a call carries, with those under other names."""
    context = message["context"]
    others = [f"{one['type']}={one['id']}" for one in context.get("externalIds", ())]
    email = (context.get("traits") or message.get("traits") or {}).get("email")
    return tuple(each for each in (message.get("userId"), email, *others) if each)


async def know(house: House, user: str, *emails: str, **more: Any) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for email in emails:
        said += await house.work({"type": "identify", "userId": user, "traits": {"email": email}, **more})
    return said


def test_each_user_id_and_each_email_is_told_of_entering_and_leaving(house: House) -> None:
    async def story() -> None:
        house.define("buyers", ORDERS)
        await know(house, "u1", "a@x", "b@x", "c@x")
        await house.work({"type": "alias", "userId": "u2", "previousId": "u1"})
        entered = await house.work({"event": "Order", "userId": "u1"})
        house.now += 7 * DAY + 1
        left = await house.work()
        for said in (entered, left):
            assert len(heard(said, "hook")) == len(heard(said, "hook", "identify")) == 5
            assert {ids(each)[-1] for each in heard(said, "hook")} == {"a@x", "b@x", "c@x"}
            assert {each.get("userId") for each in heard(said, "hook")} == {"u1", "u2", None}
        assert len({each["messageId"] for each in entered + left}) == 20

    asyncio.run(story())


ALONE = [("u1", "c@x"), ("a@x",), ("b@x",), ("c@x",)]


@pytest.mark.parametrize(
    ("sync", "entered", "left"),
    [
        ([IdSync(external_id="email", strategy="first")], [("a@x",)], []),
        ([IdSync(external_id="email", strategy="last")], [("c@x",)], []),
        ([IdSync(external_id="email", strategy="all")], [("a@x",), ("b@x",), ("c@x",)], []),
        (
            [IdSync(external_id="email", strategy="last", map_to="mail")],
            [("mail=c@x",)],
            [("mail=a@x",), ("mail=b@x",), ("mail=c@x",)],
        ),
        (
            [IdSync(external_id="user_id", strategy="last"), IdSync(external_id="email", strategy="all")],
            [("u1", "a@x"), ("u1", "b@x"), ("u1", "c@x")],
            [("u1", "a@x"), ("u1", "b@x")],
        ),
        (
            [IdSync(external_id="user_id", map_to="uid"), IdSync(external_id="email", strategy="first")],
            [("a@x", "uid=u1")],
            [("a@x", "uid=u1"), ("b@x", "uid=u1"), ("c@x", "uid=u1")],
        ),
        (
            [IdSync(external_id="ios.id", map_to="device"), IdSync(external_id="user_id", strategy="all")],
            [("u1", "device=phone")],
            [("u1", "device=phone"), ("c@x", "ios.id=phone")],
        ),
        ([IdSync(external_id="ios.idfa", strategy="last")], [], []),
    ],
)
def test_identifiers_are_told_as_the_connection_wants_and_all_of_them_of_leaving(
    house: House, sync: list[IdSync], entered: list[tuple[str, ...]], left: list[tuple[str, ...]]
) -> None:
    """Each call once: together as they may have been told, under the names of then, and alone."""

    async def story() -> None:
        house.define("buyers", ORDERS, connections=(connection("one", id_sync=tuple(sync)),))
        await know(house, "u1", "a@x", "b@x", "c@x", context={"device": {"type": "ios", "id": "phone"}})
        said = await house.work({"event": "Order", "userId": "u1"})
        assert sorted(ids(each) for each in heard(said, "one")) == entered
        house.now += 7 * DAY + 1
        said = await house.work()
        assert sorted(ids(each) for each in heard(said, "one")) == sorted([*left, *ALONE])
        assert len(heard(said, "one", "identify")) == len(left) + len(ALONE)

    asyncio.run(story())


def test_who_leaves_is_told_under_each_identifier_however_many_choices_there_are(house: House) -> None:
    types = ("email", "anonymous_id", "ios.id", "android.id")

    async def story() -> None:
        sync = tuple(IdSync(external_id=one, map_to=f"their_{one}") for one in types)
        house.define("buyers", ORDERS, connections=(connection("one", id_sync=sync),))
        for place in range(5):
            for phone in ("ios", "android"):
                device = {"device": {"type": phone, "id": f"{phone}{place}"}}
                await know(house, "u1", f"{place}@x", anonymousId=f"a{place}", context=device)
        (entered,) = heard(await house.work({"event": "Order", "userId": "u1"}), "one")
        house.now += 7 * DAY + 1
        left = heard(await house.work(), "one")
        assert len(left) == 200
        alone = [ids(each)[-1] for each in left if not any("their_" in one for one in ids(each))]
        phones = {f"{phone}.id={phone}{place}" for phone in ("ios", "android") for place in range(5)}
        assert {*alone} == {*phones, *(f"{place}@x" for place in range(5))}
        assert len(alone) == 21
        assert ids(entered) in [ids(each) for each in left]

    asyncio.run(story())


def test_two_connections_hear_under_names_of_their_own(house: House) -> None:
    def renamed(entered: str, exited: str) -> tuple[Call, ...]:
        names = {"entered": entered, "exited": exited}
        return tuple(msgspec.structs.replace(each, name=names.get(each.id, each.name)) for each in CALLS)

    async def story() -> None:
        house.define(
            "buyers",
            ORDERS,
            connections=(
                connection("one", calls=renamed("Began", "Ended")),
                connection("two", calls=renamed("Came", "Went")),
                connection("off", enabled=False),
            ),
        )
        said = await house.work({"event": "Order", "userId": "u1"})
        house.now += 7 * DAY + 1
        said += await house.work()
        assert [each["event"] for each in heard(said, "one")] == ["Began", "Ended"]
        assert [each["event"] for each in heard(said, "two")] == ["Came", "Went"]
        assert heard(said, "off") == []
        identify = heard(said, "one", "identify")
        assert identify == heard(said, "two", "identify"), "what is the same for both is said once"
        assert [each["traits"] for each in identify] == [{"buyers": True}, {"buyers": False}]

    asyncio.run(story())


def test_a_new_email_of_a_member_is_told_and_membership_stays(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", ORDERS)
        await know(house, "u1", "a@x")
        assert len(heard(await house.work({"event": "Order", "userId": "u1"}), "hook")) == 2
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"email": "b@x"}})
        assert [ids(each) for each in heard(said, "hook")] == [("b@x",)]
        assert heard(said, "hook")[0]["properties"] == {"audience_key": "buyers", "buyers": True}
        assert house.run(audience).size == 1
        assert await house.work({"event": "Order", "userId": "u1"}) == []

    asyncio.run(story())


def test_traits_go_along_and_mobile_ids_only_where_that_is_asked(house: House) -> None:
    phone = {"device": {"type": "ios", "id": "phone"}}

    async def story() -> None:
        calls = tuple(
            msgspec.structs.replace(each, traits=("plan", "none"), mapping={"plan": "tier"}) for each in CALLS
        )
        house.define("buyers", ORDERS, connections=(connection("one"), connection("all", mobile_ids=True, calls=calls)))
        await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}, "context": phone})
        said = await house.work({"event": "Order", "userId": "u1"})
        assert [ids(each) for each in heard(said, "one")] == [("u1",)]
        assert sorted(ids(each) for each in heard(said, "all")) == [("ios.id=phone",), ("u1",)]
        told = [each["properties"] for each in heard(said, "all")]
        assert told == [{"tier": "pro", "audience_key": "buyers", "buyers": True}] * 2
        identified = [each["traits"] for each in heard(said, "all", "identify")]
        assert identified == [{"tier": "pro", "buyers": True}] * 2

    asyncio.run(story())


def test_a_connection_made_while_an_audience_is_worked_out_hears_of_each_member_once(house: House) -> None:
    async def story() -> None:
        await house.work(*({"type": "identify", "userId": f"u{each}", "traits": {"vip": True}} for each in range(3)))
        audience = house.define("vips", "trait('vip') = true", told=False)
        await house.fold(dies="before it asked anybody")
        assert house.run(audience).phase != "LIVE"
        house.store.run(lambda one: computations.update(one, audience.id, connections=(connection("late"),)))
        assert sorted(moves(await house.work())) == [(f"u{each}", "vips", True) for each in range(3)]

    asyncio.run(story())


def test_the_people_of_an_account_hear_of_it_through_a_connection_made_later(house: House) -> None:
    async def story() -> None:
        audience = house.define("active", "ANY event('Login').count() >= 1", level="ACCOUNTS", told=False)
        await house.work(
            {"type": "group", "userId": "u1", "groupId": "g"},
            {"type": "group", "userId": "u2", "groupId": "g"},
            {"event": "Login", "userId": "u1"},
        )
        house.now += 1
        await house.work()
        late = connection("late", calls=default_calls("audience", "ACCOUNTS"))
        house.store.run(lambda one: computations.update(one, audience.id, connections=(late,)))
        said = await house.work()
        assert sorted(moves(said)) == [("u1", "active", True), ("u2", "active", True)], "also who did nothing"
        assert [each["groupId"] for each in heard(said, "late", "group")] == ["g"]

    asyncio.run(story())


@pytest.mark.parametrize(("word", "holds"), [("ANY", None), ("ALL", True), ("ALL NOT", True)])
def test_of_an_account_without_people_all_and_none_hold(house: House, word: str, holds: bool | None) -> None:
    async def story() -> None:
        house.define("some", f"{word} event('Login').count() >= 1", level="ACCOUNTS")
        await house.work({"userId": "u1", "event": "Login", "context": {"groupId": "g"}})
        house.now += 1
        await house.work()
        assert house.values("group_id:g").get("some") is holds

    asyncio.run(story())


def test_late_events_count_where_they_happened_and_none_in_the_future(house: House) -> None:
    def at(days: float) -> str:
        return format_moment(house.now + int(days * DAY))

    async def story() -> None:
        house.define("buyers", ORDERS)
        assert await house.work({"event": "Order", "userId": "u1", "timestamp": at(-7.01)}) == []
        said = await house.work({"event": "Order", "userId": "u1", "timestamp": at(-6.9)})
        assert moves(said) == [("u1", "buyers", True)]
        assert moves(await house.work({"event": "Order", "userId": "u2", "timestamp": at(30)})) == [
            ("u2", "buyers", True)
        ]
        house.now += DAY
        assert moves(await house.work()) == [("u1", "buyers", False)]
        house.now += 7 * DAY
        assert moves(await house.work()) == [("u2", "buyers", False)], "a clock that is ahead holds nobody for ever"

    asyncio.run(story())


def test_who_lacks_a_trait_enters_when_it_is_taken_away(house: House) -> None:
    async def story() -> None:
        house.define("nobodys", "NOT trait('plan').exists()")
        house.define("others", "trait('plan').differs('pro')")
        said = await house.work({"event": "Any", "userId": "u1"})
        assert moves(said) == [("u1", "nobodys", True)], "what is missing does not differ"
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "free"}})
        assert sorted(moves(said)) == [("u1", "nobodys", False), ("u1", "others", True)]
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"plan": None}})
        assert sorted(moves(said)) == [("u1", "nobodys", True), ("u1", "others", False)]

    asyncio.run(story())


def test_a_trait_is_told_when_its_value_changes_and_not_before_it_has_one(house: House) -> None:
    async def story() -> None:
        house.define("top", "event('Order').mode(property('sku'), 2)", kind="trait")
        house.define("skus", "event('Order').unique(property('sku'))", kind="trait")
        house.define("least", "event('Order').min(property('total'))", kind="trait")
        orders = [("b", "12.50"), ("a", None), ("b", -3), ("a", "NaN"), ("a", {"x": 1})]
        told: list[tuple[Any, ...]] = []
        for sku, total in orders:
            body = {"event": "Order", "userId": "u1", "properties": {"sku": sku, "total": total}}
            said = await house.work(body)
            told.append(tuple(value for key in ("top", "skus", "least") for _, value in traits_told(said, key)))
        assert told == [(["b"], 12.5), (["a", "b"],), ("b", -3), ("a",), ()]
        assert house.values("user_id:u1") == {"top": "a", "skus": ["a", "b"], "least": -3}

    asyncio.run(story())


def test_false_is_a_value_of_a_trait_and_is_told_as_any_other(house: House) -> None:
    def order(gift: bool | None) -> dict[str, Any]:
        return {"event": "Order", "userId": "u1", "properties": {"gift": gift}}

    async def story() -> None:
        trait = house.define("gift", "event('Order').last(property('gift'))", kind="trait")
        window = house.define("present", "event('Order').within(9 days).last(property('gift'))", kind="trait")
        house.define("own", "trait('gift') = false")
        said = await house.work(order(None))
        assert (said, house.values("user_id:u1")) == ([], {})
        said = await house.work(order(False))
        assert traits_told(said, "gift") == traits_told(said, "present") == [("u1", False)]
        assert moves(said) == [("u1", "own", True)]
        assert await house.work(order(False)) == []
        said = await know(house, "u1", "a@x")
        assert [ids(each) for each in said if "gift" in each.get("traits", ())] == [("a@x",)]
        assert traits_told(await house.work(order(True)), "gift")[0] == ("u1", True)
        assert traits_told(await house.work(order(False)), "gift")[0] == ("u1", False)
        assert (house.run(trait).size, house.run(window).size) == (1, 1)
        late = connection("late", calls=default_calls("trait", "USERS"))
        house.store.run(lambda one: computations.update(one, trait.id, connections=(late,)))
        assert traits_told(await house.work(), "gift")[0] == ("u1", False)
        house.now += 9 * DAY + 1
        assert traits_told(await house.work(), "present")[0] == ("u1", None)
        assert (house.run(trait).size, house.run(window).size) == (1, 0)

    asyncio.run(story())


def test_who_become_one_and_are_parted_keep_a_trait_that_is_false(house: House) -> None:
    async def story() -> None:
        trait = house.define("gift", "event('Order').last(property('gift'))", kind="trait", known_by=("anonymous_id",))
        orders = [
            {"event": "Order", **who, "properties": {"gift": False}} for who in ({"userId": "u"}, {"anonymousId": "a"})
        ]
        await house.work(*orders)
        assert house.run(trait).size == 2
        assert await house.work({"event": "Other", "userId": "u", "anonymousId": "a"}) == []
        assert (house.run(trait).size, house.values("user_id:u")) == (1, {"gift": False})
        house.part("user_id:u", "anonymous_id:a")
        house.now += 1
        assert await house.work() == []
        assert (house.run(trait).size, house.values("anonymous_id:a")) == (2, {"gift": False})

    asyncio.run(story())


def test_a_definition_that_refers_to_what_was_removed_is_not_met_any_more(house: House) -> None:
    async def story() -> None:
        first = house.define("buyers", ORDERS)
        second = house.define("vips", "trait('buyers') = true")
        assert len(moves(await house.work({"event": "Order", "userId": "u1"}))) == 2
        house.store.run(lambda one: computations.update(one, first.id, enabled=False))
        house.store.run(lambda one: computations.delete(one, first.id))
        assert moves(await house.work({"event": "Other", "userId": "u2"})) == []
        assert house.run(second).phase == "LIVE"
        again = house.define("buyers", "event('Order').count() >= 9")
        await house.work({"event": "Order", "userId": "u3"})
        assert again.id != first.id
        assert "buyers" not in house.values("user_id:u3")

    asyncio.run(story())


class Asked:
    """A past that is empty, and knows what it was asked."""

    def __init__(self) -> None:
        self.wanted: list[Wanted] = []

    async def reaches(self, until: Any) -> bool:
        return True

    async def count(self, job: str, space_id: str, wanted: list[Wanted], until: Any, *, progress: Any) -> None:
        self.wanted += wanted

    async def counted(self, job: str, after: str) -> Any:
        for page in ([],) * 0:
            yield page

    async def forget(self, job: str) -> None:
        pass


def test_history_is_counted_for_as_many_days_as_are_wanted_and_not_where_it_is_not(house: House) -> None:
    async def story() -> None:
        week = house.define("week", ORDERS, history_days=7)
        ever = house.define("ever", ORDERS)
        house.define("new", ORDERS, history=False)
        house.define("pros", "trait('plan') = 'pro'")
        past = Asked()
        await house.fold(past)
        await house.fold(past)
        assert {one.name: one.since_ms for one in past.wanted} == {
            week.counted_as: house.now - 7 * DAY,
            ever.counted_as: 0,
        }
        assert {(run.phase, run.error) for run in house.store.run(computations.read_runs).values()} == {("LIVE", "")}

    asyncio.run(story())


def test_a_size_counts_people_as_they_are_merged_and_parted(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", ORDERS, known_by=("user_id", "anonymous_id"))
        await house.work({"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1"})
        assert house.run(audience).size == 2
        assert await house.work({"event": "Other", "userId": "u1", "anonymousId": "a1"}) == []
        assert house.run(audience).size == 1
        house.part("user_id:u1", "anonymous_id:a1")
        house.now += 1
        assert moves(await house.work()) == [], "both parts stay members"
        assert house.run(audience).size == 2
        house.now += 7 * DAY
        assert sorted(moves(await house.work())) == [("a1", "buyers", False), ("u1", "buyers", False)]
        assert house.run(audience).size == 0

    asyncio.run(story())


def test_who_joins_an_account_is_told_once_what_it_is_in(house: House) -> None:
    async def story() -> None:
        house.define("active", "ANY event('Login').within(9 days).count() >= 1", level="ACCOUNTS")
        logins = house.define("logins", "event('Login').count()", level="ACCOUNTS", kind="trait")

        async def later(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
            said = await house.work(*bodies)
            for _ in range(2):
                house.now += 1
                said += await house.work()
            return said

        def join(user: str) -> dict[str, Any]:
            return {"type": "group", "userId": user, "groupId": "g"}

        first = await later(join("u1"), {"event": "Login", "userId": "u1"})
        assert moves(first) == [("u1", "active", True)]
        said = await later(join("u2"))
        assert moves(said) == [("u2", "active", True)]
        assert [(each["type"], each["userId"]) for each in said] == [("track", "u2")] * 2, (
            "the account is not told again"
        )
        assert said[1]["properties"] == {"trait_key": "logins", "logins": 1}
        assert await later(join("u2"), join("u1"), {"event": "Other", "userId": "u2"}) == []
        said = await later({"type": "identify", "userId": "u2", "traits": {"email": "e@x"}})
        assert [ids(each) for each in heard(said, "hook")] == [("e@x",)] * 2, "as of an audience of people"
        house.store.run(lambda one: computations.update(one, logins.id, enabled=False))
        house.now += 9 * DAY
        said = await later(join("u3"))
        assert {who for who, _, _ in moves(said)} == {"u1", "u2", house.owner("user_id:u2")}, "u3 was never told"
        assert await later(join("u4")) == []

    asyncio.run(story())


def test_a_connection_made_after_somebody_joined_tells_each_of_an_account_once(house: House) -> None:
    async def story() -> None:
        audience = house.define("big", "trait('seats') > 9", level="ACCOUNTS", told=False)
        group = {"type": "group", "groupId": "g", "traits": {"seats": 20}}
        for user in ("u1", "u2"):
            await house.work({**group, "userId": user})
            house.now += 1
            assert await house.work() == []
        late = connection("late", calls=default_calls("audience", "ACCOUNTS"))
        house.store.run(lambda one: computations.update(one, audience.id, connections=(late,)))
        said = await house.work({**group, "userId": "u3"})
        for _ in range(3):
            house.now += 1
            said += await house.work()
        assert sorted(moves(said)) == [(f"u{number}", "big", True) for number in (1, 2, 3)]

    asyncio.run(story())


def test_an_account_is_told_by_an_identify_call_for_each_of_its_people_where_that_is_wanted(house: House) -> None:
    async def story() -> None:
        calls = default_calls("audience", "ACCOUNTS", "identify")
        house.define("big", "trait('seats') > 9", level="ACCOUNTS", connections=(connection("one", calls=calls),))
        await know(house, "u1", "a@x")
        bodies = ({"type": "group", "userId": user, "groupId": "g", "traits": {"seats": 20}} for user in ("u1", "u2"))
        said = await house.work(*bodies)
        house.now += 1
        said += await house.work()
        assert sorted(ids(each) for each in heard(said, "one", "identify")) == [("a@x",), ("u1", "a@x"), ("u2",)]
        assert [each["traits"] for each in said if each.get("userId") == "u2" and each["type"] == "identify"] == [
            {"big": True}
        ]
        (alone,) = (each for each in heard(said, "one", "identify") if "userId" not in each)
        assert alone["anonymousId"] == house.owner("user_id:u1")
        assert heard(said, "one", "group") == []

    asyncio.run(story())
