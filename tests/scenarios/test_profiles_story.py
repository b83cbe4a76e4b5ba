"""One house from the first visit to the audiences of companies, over HTTP alone (profiles-governance 1 to 3)."""

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from downstream import recording

from headwater.contracts.doubles import Recorder
from headwater.contracts.house import RunningHouse, running_house, until
from headwater.contracts.space import RunningSpace
from headwater.spec.timestamps import format_moment

HOUR = 3_600_000
PHONE = {"device": {"type": "ios", "id": "phone-1"}}
QUICK = {
    "PROFILES_ACCOUNTS_EVERY_SECONDS": "0.2",
    "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "0.3",
    "PROFILES_WRITE_EVERY_SECONDS": "0.2",
}


class Heard:
    """What the webhook was told, each call once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def all(self) -> list[dict[str, Any]]:
        return [request.json() for request in list(self._recorder.requests)]

    def about(self, key: str) -> list[dict[str, Any]]:
        return [each for each in self.all() if each["context"]["personas"]["computation_key"] == key]

    def moves(self, key: str) -> dict[str, list[bool]]:
        """What track calls told of an audience, by whom they address, in their order."""
        found: defaultdict[str, list[bool]] = defaultdict(list)
        for each in self.about(key):
            if each["type"] == "track":
                found[who(each)].append(each["properties"][key])
        return dict(found)


def who(message: dict[str, Any]) -> str:
    """Whom a call is about: the userId, else the e-mail that it was sent for."""
    traits = message["context"].get("traits") or message.get("traits") or {}
    return message.get("userId") or traits["email"]


class Story:
    """The house, its space, and what has been told."""

    def __init__(self, house: RunningHouse, heard: Heard, url: str) -> None:
        self.house, self.heard = house, heard
        self.space = RunningSpace(house)
        self.url = url
        self.made: dict[str, str] = {}
        self.hook = ""

    def send(self, kind: str, **body: Any) -> None:
        assert self.house.send(f"/v1/{kind}", body)[0] == 200

    def define(self, kind: Any, name: str, query: str, **more: Any) -> None:
        made = self.space.define(kind, name, query, **more)
        self.made[made["key"]] = made["id"]
        self.hook = self.hook or self.space.webhook(self.url)
        self.space.connect(made["id"], self.hook)

    def live(self) -> None:
        self.space.wait_for(*self.made.values())

    def ids(self, *identifiers: str) -> list[str]:
        """The ids of the profiles that have these identifiers, once they all have one."""
        paths = [
            f"{'accounts' if one.startswith('group_id') else 'users'}/profiles/{one}/metadata" for one in identifiers
        ]
        until(lambda: all(self.space.read(path)[0] == 200 for path in paths), what=f"for {identifiers}")
        return [self.space.profile(one)["id"] for one in identifiers]


def test_a_house_knows_people_and_companies_and_tells_who_is_in_which_audience(tmp_path: Path) -> None:
    with recording() as recorder, running_house(tmp_path, **QUICK) as house:
        story = Story(house, Heard(recorder), recorder.url("/hook"))
        try:
            audiences_before_events(story)
            signs_up(story)
            comes_back_on_a_second_device(story)
            shares_the_laptop(story)
            works_for_a_company(story)
            history_counts(story)
            reads_the_profile(story)
            leaves_by_time(story)
            everything_was_told_once(story)
        except BaseException:
            print(house.output()[-6_000:])
            raise


def audiences_before_events(story: Story) -> None:
    looked = "event('Page Viewed').within(30 days).count() >= 2 AND trait('plan') = 'pro'"
    story.define("audience", "Keen Pros", looked)
    story.define("audience", "Just Looked", "event('Glanced').within(1 hour).count() >= 1")
    story.live()


def signs_up(story: Story) -> None:
    """Two anonymous pages, then a name: the visitor enters under every identifier that tells who that is."""
    for name in ("Home", "Pricing"):
        story.send("page", anonymousId="laptop", name=name, properties={"path": f"/{name}"})
    story.send("identify", userId="ann", anonymousId="laptop", traits={"email": "ann@example.com", "plan": "pro"})
    until(lambda: story.heard.moves("keen_pros") == {"ann": [True], "ann@example.com": [True]}, what="for Ann to enter")
    entered = [each for each in story.heard.about("keen_pros") if each.get("userId") == "ann"]
    assert sorted(each["type"] for each in entered) == ["identify", "track"]
    track = next(each for each in entered if each["type"] == "track")
    assert track["event"] == "Audience Entered"
    assert track["properties"] == {"audience_key": "keen_pros", "keen_pros": True}
    assert track["context"]["personas"] == {
        "computation_class": "audience",
        "computation_id": story.made["keen_pros"],
        "computation_key": "keen_pros",
        "namespace": story.space.id,
        "space_id": story.space.id,
    }
    assert track["context"]["traits"] == {"email": "ann@example.com"}
    assert track["integrations"]["All"] is False
    assert track["messageId"].startswith("personas_")
    identify = next(each for each in entered if each["type"] == "identify")
    assert identify["traits"] == {"email": "ann@example.com", "keen_pros": True}
    until(lambda: delivered(story, track["messageId"]), what="for the trace to tell of the delivery")


def delivered(story: Story, message_id: str) -> bool:
    found = story.house.ask("GET", f"/headwater/trace/{message_id}")["destinations"]
    return [(each["destinationId"], each["state"]) for each in found] == [(story.hook, "delivered")]


def comes_back_on_a_second_device(story: Story) -> None:
    """The phone is somebody new until a sign-in tells whose it is."""
    order = {"event": "Order Completed", "context": PHONE}
    story.send("track", anonymousId="phone", properties={"total": 40}, **order)
    before, ann = story.ids("anonymous_id:phone", "user_id:ann")
    assert before != ann
    story.send("track", userId="ann", anonymousId="phone", properties={"total": "2.5"}, **order)
    until(lambda: len(set(story.ids("user_id:ann", "anonymous_id:phone"))) == 1, what="for the devices to be one")


def shares_the_laptop(story: Story) -> None:
    """Bob signs in on Ann's laptop; that makes him nobody else than himself."""
    story.send("identify", userId="bob", anonymousId="laptop", traits={"email": "bob@example.com", "plan": "free"})
    until(lambda: story.space.traits("user_id:bob").get("plan") == "free", what="for Bob")
    assert story.space.traits("user_id:ann")["plan"] == "pro"
    bob, ann, laptop = story.ids("user_id:bob", "user_id:ann", "anonymous_id:laptop")
    assert bob != ann == laptop
    story.send("track", userId="bob", event="Order Completed", properties={"total": 7})


def works_for_a_company(story: Story) -> None:
    """Ann works for Berlin, which is a part of Acme, where Bob is."""
    story.define("audience", "Buying Companies", "ANY event('Order Completed').count() >= 3", level="ACCOUNTS")
    story.send("group", userId="ann", groupId="berlin", traits={"name": "Berlin", "parent_group_id": "acme"})
    story.send("group", userId="bob", groupId="acme", traits={"name": "Acme"})
    berlin, acme, ann, bob = story.ids("group_id:berlin", "group_id:acme", "user_id:ann", "user_id:bob")
    path = f"/headwater/spaces/{story.space.id}/profiles/{acme}/hierarchy"
    until(lambda: [one["id"] for one in story.house.ask("GET", path)["children"]] == [berlin], what="for the hierarchy")
    until(lambda: story.house.ask("GET", path)["rollUp"]["users"] == 2, what="for the people of both")
    story.live()
    assert story.heard.about("buying_companies") == [], "two orders are not enough"
    more = {"event": "Order Completed", "context": {"groupId": "berlin"}}
    story.send("track", userId="ann", properties={"total": 1}, **more)

    def groups() -> list[tuple[str, Any]]:
        about = story.heard.about("buying_companies")
        return sorted((each["groupId"], each["traits"]) for each in about if each["type"] == "group")

    told = {"buying_companies": True}
    until(lambda: groups() == [("acme", told), ("berlin", told)], what="for the companies to enter")
    people = {"ann", "ann@example.com", "bob", "bob@example.com"}
    until(lambda: story.heard.moves("buying_companies").keys() == people, what="for their people to be told")
    assert story.space.traits("group_id:berlin", "class=audience") == told
    status, links = story.space.read("accounts/profiles/group_id:berlin/links")
    assert (status, [{one["id"] for one in each["external_ids"]} for each in links["data"]]) == (
        200,
        [{"ann", "ann@example.com", "laptop", "phone", "phone-1"}],
    )
    _, links = story.space.read("users/profiles/user_id:bob/links")
    assert [one["id"] for each in links["data"] for one in each["external_ids"]] == ["acme"]
    assert ann != bob


def history_counts(story: Story) -> None:
    """What is defined now knows what was before, on whichever device it was."""
    story.define("trait", "Spent", "event('Order Completed').sum(property('total'))")
    story.define("audience", "Spenders", "event('Order Completed').count() >= 2", includeHistoricalData=True)
    story.define("audience", "From Now On", "event('Order Completed').count() >= 1", includeHistoricalData=False)
    story.live()
    until(lambda: story.heard.moves("spenders") == {"ann": [True], "ann@example.com": [True]}, what="for the past")
    spent = {who(each): each["properties"] for each in story.heard.about("spent") if each["type"] == "track"}
    assert spent == {
        "ann": {"trait_key": "spent", "spent": 43.5},
        "ann@example.com": {"trait_key": "spent", "spent": 43.5},
        "bob": {"trait_key": "spent", "spent": 7},
        "bob@example.com": {"trait_key": "spent", "spent": 7},
    }
    assert story.heard.about("from_now_on") == []
    story.send("track", userId="bob", event="Order Completed", properties={"total": 3})
    until(lambda: story.heard.moves("from_now_on") == {"bob": [True], "bob@example.com": [True]}, what="for Bob")
    until(lambda: story.heard.moves("spenders").get("bob") == [True], what="for Bob's second order")


def reads_the_profile(story: Story) -> None:
    """Every identifier of a person reads the same, in the Profile API as on the profile's page."""
    space = story.space
    names = ["user_id:ann", "email:ann@example.com", "anonymous_id:laptop", "anonymous_id:phone", "ios.id:phone-1"]
    ids = story.ids(*names)
    assert len(set(ids)) == 1
    computed = {"keen_pros": True, "spenders": True, "spent": 43.5}
    whole = {"email": "ann@example.com", "plan": "pro", **computed}
    for name in [*names, ids[0]]:
        assert space.traits(name) == whole, name
        assert space.traits(name, "class=audience") == {"keen_pros": True, "spenders": True}
        assert space.traits(name, "class=computed_trait") == {"spent": 43.5}
        _, answer = space.read(f"users/profiles/{name}/external_ids")
        assert {f"{one['type']}:{one['id']}" for one in answer["data"]} == set(names)
    _, answer = space.read("users/profiles/user_id:ann/traits?verbose=true&include=spent")
    assert answer["traits"]["spent"].keys() == {"value", "source_id", "updated_at"}
    _, answer = space.read("users/profiles/user_id:ann/metadata")
    assert answer["metadata"]["expires_at"] is None
    assert answer["metadata"]["first_source_id"] == story.house.source_id()
    assert events(space, "sort=asc&limit=2") == ["Page Viewed", "Page Viewed", *["Order Completed"] * 3]
    assert events(space, "include=Page%20Viewed&limit=1") == ["Page Viewed", "Page Viewed"]
    shown = {one["key"]: (one["kind"], one["value"]) for one in space.profile("anonymous_id:phone")["memberships"]}
    assert shown == {
        "keen_pros": ("audience", True),
        "spenders": ("audience", True),
        "spent": ("trait", 43.5),
    }
    assert space.read("users/profiles/user_id:nobody/traits")[0] == 404


def events(space: RunningSpace, query: str) -> list[str]:
    """The names of Ann's events, read page by page."""
    names: list[str] = []
    following = ""
    while True:
        _, answer = space.read(f"users/profiles/user_id:ann/events?{query}&next={following}")
        names += [one["event"] for one in answer["data"]]
        following = answer["cursor"]["next"]
        if not answer["cursor"]["has_more"]:
            return names


def leaves_by_time(story: Story) -> None:
    """Nothing comes, and the hour is over: Cid leaves. What is sent happened nearly an hour ago."""
    asked = 0.0

    def entered() -> bool:
        nonlocal asked
        if time.monotonic() > asked:
            asked = time.monotonic() + 1.0
            at = format_moment(time.time_ns() // 1_000_000 - HOUR + 2_000)
            story.send("track", userId="cid", event="Glanced", timestamp=at)
        return "cid" in story.heard.moves("just_looked")

    until(entered, what="for Cid to enter")
    until(lambda: story.heard.moves("just_looked")["cid"][-1] is False, what="for Cid to leave")
    moves = story.heard.moves("just_looked")["cid"]
    assert moves == [place % 2 == 0 for place in range(len(moves))]
    assert story.space.profile("user_id:cid")["memberships"][0]["value"] is False
    last = [each for each in story.heard.about("just_looked") if each["type"] == "track"][-1]
    assert (last["event"], last["properties"]) == (
        "Audience Exited",
        {"audience_key": "just_looked", "just_looked": False},
    )


def everything_was_told_once(story: Story) -> None:
    """No call came twice, nobody was told twice the same, and sizes are the members."""
    heard = story.heard.all()
    twice = {id: times for id, times in Counter(each["messageId"] for each in heard).items() if times > 1}
    assert twice == {}
    assert {each["integrations"]["All"] for each in heard} == {False}
    sizes = {key: story.space.progress(id)["size"] for key, id in story.made.items()}
    assert sizes == {
        "keen_pros": 1,
        "just_looked": 0,
        "buying_companies": 2,
        "spent": 2,
        "spenders": 2,
        "from_now_on": 1,
    }
    told: Counter[tuple[str, str, str]] = Counter()
    for each in heard:
        key = each["context"]["personas"]["computation_key"]
        if each["type"] == "identify" and key not in ("just_looked", "spent"):
            told[key, who(each), str(each["traits"][key])] += 1
    assert set(told.values()) == {1}
