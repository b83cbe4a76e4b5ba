"""What the store promises of the identity graph of a space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from headwater.contracts.store.attempts import THREADS, Change, Promise, adding_to, at_once, with_source
from headwater.spec.errors import SenderError
from headwater.spec.graph import Cause, Changes, GroupLink, Link, Merge, NewProfile, Violation
from headwater.store import (
    Store,
    components,
    graph,
    known,
    lookups,
    messaging,
    standing,
)
from headwater.store import workspace as workspaces
from headwater.store.schema import standings_of_profiles

if TYPE_CHECKING:
    pass

OF_IDENTITY: Final[list[Promise]] = []
_promise = adding_to(OF_IDENTITY)


def _graph(store: Store) -> tuple[str, Cause]:
    """A space and a cause of changes to its graph."""
    with_source(store)
    space = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
    return space.id, Cause("m1", "track", "Ordered", "s1", 1_000, "user_id:u")


def _two_people(cause: Cause) -> Changes:
    """A user with an email, and a visitor."""
    return Changes(
        profiles=[NewProfile("use_a", "users", 1), NewProfile("use_b", "users", 2)],
        links=[
            Link("user_id:u", "use_a", cause),
            Link("email:Ä", "use_a", cause),
            Link("anonymous_id:v", "use_b", cause),
        ],
    )


def _one_person(cause: Cause) -> Changes:
    """The merge of the two, as it is decided on what `_two_people` wrote."""
    merge = Merge("mrg_1", "user_id:u", "anonymous_id:v", "use_a", "use_b", "use_a", "use_b", cause)
    return Changes(merges=[merge], based_on={"use_a": 1, "use_b": 1})


@_promise
def an_identifier_leads_to_the_canonical_profile(store: Store) -> None:
    """Through merges, from any member; the first profile of each identifier stays known."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))
    wanted = ["user_id:u", "anonymous_id:v", "anonymous_id:none", *(f"x:{number}" for number in range(1_200))]
    found = store.run(lambda connection: graph.owners(connection, space_id, wanted))
    assert found == {"user_id:u": "use_a", "anonymous_id:v": "use_b"}
    assert store.run(lambda connection: graph.owners(connection, "spa_other", wanted)) == {}
    store.run(lambda connection: graph.write(connection, space_id, _one_person(cause)))
    assert set(store.run(lambda connection: graph.owners(connection, space_id, wanted)).values()) == {"use_a"}
    (known,) = store.run(lambda connection: graph.known(connection, ["use_a", "use_b"]))
    assert (known.id, known.created_at, known.version, known.members) == ("use_a", 1, 2, {"use_a", "use_b"})
    assert known.links == {
        "user_id:u": ("use_a", 1_000),
        "email:Ä": ("use_a", 1_000),
        "anonymous_id:v": ("use_b", 1_000),
    }


@_promise
def what_is_based_on_the_past_is_refused_whole(store: Store) -> None:
    """An identifier is given once, and a decision holds for the profiles as they were read."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))
    stale = (
        Changes(profiles=[NewProfile("use_c", "users", 3)], links=[Link("user_id:u", "use_c", cause)]),
        Changes(links=[Link("phone:1", "use_a", cause)], based_on={"use_a": 7}),
        Changes(links=[Link("phone:1", "use_a", cause)], based_on={"use_a": 1, "use_none": 1}),
        _two_people(cause),
    )
    for changes in stale:
        try:
            store.run(lambda connection, changes=changes: graph.write(connection, space_id, changes))
        except graph.Contested:
            continue
        raise AssertionError("The store took what is based on the past.")
    assert len(store.run(lambda connection: graph.known(connection, ["use_a", "use_b", "use_c"]))) == 2
    assert store.run(lambda connection: graph.owners(connection, space_id, ["phone:1"])) == {}


@_promise
def of_those_who_decide_the_same_at_once_one_is_heard(store: Store) -> None:
    """Two processes that merge the same two profiles make one merge."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))

    def merge() -> bool:
        try:
            store.run(lambda connection: graph.write(connection, space_id, _one_person(cause)))
        except graph.Contested:
            return False
        return True

    assert sum(at_once(merge, THREADS)) == 1
    one = store.run(lambda connection: components.component(connection, "use_a"))
    assert [merge.id for merge in one.merges] == ["mrg_1"]


@_promise
def a_merge_that_is_undone_leaves_two_who_are_kept_apart(store: Store) -> None:
    """Until that is lifted; and every role learns that the graph is another."""
    space_id, cause = _graph(store)
    for changes in (_two_people(cause), _one_person(cause)):
        store.run(lambda connection, changes=changes: graph.write(connection, space_id, changes))
    merge = _one_person(cause).merges[0]
    before = store.run(workspaces.version)
    roots = {"use_a": "use_a", "use_b": "use_b"}
    store.run(lambda connection: components.split(connection, space_id, merge, roots, 5))
    assert store.run(workspaces.version) > before
    assert store.run(workspaces.load).spaces[-1].rewired == 1
    two = {one.id: one for one in store.run(lambda connection: graph.known(connection, ["use_a", "use_b"]))}
    assert (two["use_a"].apart, two["use_b"].apart) == ({"use_b"}, {"use_a"})
    assert set(two["use_b"].links) == {"anonymous_id:v"}
    assert store.run(lambda connection: components.component(connection, "use_b")).merges[0].undone_at == 5
    again = Changes(merges=[msgspec.structs.replace(merge, id="mrg_2")], based_on={"use_a": 3, "use_b": 3})
    try:
        store.run(lambda connection: graph.write(connection, space_id, again))
        raise AssertionError("Two who are kept apart were merged.")
    except graph.Contested:
        assert len(store.run(lambda connection: graph.known(connection, ["use_a", "use_b"]))) == 2
    assert store.run(lambda connection: components.let_together(connection, space_id, merge))
    assert not store.run(lambda connection: components.let_together(connection, space_id, merge))


@_promise
def an_identifier_that_is_removed_leads_nowhere_and_is_remembered(store: Store) -> None:
    """Its merges stay, every role learns of it, and what was decided with it in mind is refused."""
    space_id, cause = _graph(store)
    for changes in (_two_people(cause), _one_person(cause)):
        store.run(lambda connection, changes=changes: graph.write(connection, space_id, changes))
    one = store.run(lambda connection: components.component(connection, "use_a"))
    link = next(link for link in one.links if link.identifier == "anonymous_id:v")
    before = store.run(workspaces.version)
    gone = store.run(lambda connection: components.remove(connection, space_id, link, 5, "tok"))
    assert (gone.removed_at, gone.removed_by, gone.profile_id, gone.cause) == (5, "tok", "use_b", cause)
    assert store.run(workspaces.version) > before
    assert store.run(workspaces.load).spaces[-1].rewired == 1
    assert store.run(lambda connection: graph.owners(connection, space_id, ["anonymous_id:v"])) == {}
    assert store.run(lambda connection: components.canonical(connection, space_id, "anonymous_id:v")) is None
    assert store.run(lambda connection: components.canonical_once(connection, space_id, "anonymous_id:v")) == "use_a"
    one = store.run(lambda connection: components.component(connection, "use_a"))
    assert ([each.id for each in one.merges], one.removed, set(one.profiles)) == (
        ["mrg_1"],
        (gone,),
        {"use_a", "use_b"},
    )
    stale = Changes(links=[Link("phone:1", "use_b", cause)], based_on={"use_a": 2})
    late: tuple[Change, ...] = (
        lambda connection: graph.write(connection, space_id, stale),
        lambda connection: components.remove(connection, space_id, link, 6, ""),
    )
    for change in late:
        try:
            store.run(change)
        except (graph.Contested, SenderError):
            continue
        raise AssertionError("The store took what is based on an identifier that is gone.")
    again = Changes(links=[Link("anonymous_id:v", "use_a", cause)], based_on={"use_a": 3})
    store.run(lambda connection: graph.write(connection, space_id, again))
    store.run(lambda connection: components.remove(connection, space_id, again.links[0], 5, "tok"))
    rows = store.run(lambda connection: components.removed(connection, space_id, 5))
    assert [(each.profile_id, each.removed_at) for each in rows] == [("use_b", 5), ("use_a", 6)]
    assert store.run(lambda connection: components.removed(connection, space_id, 6)) == rows[1:]


@_promise
def people_are_found_by_what_their_identifiers_begin_with(store: Store) -> None:
    """Letter for letter, whatever the database thinks of the order of letters."""
    space_id, cause = _graph(store)
    links = [
        Link(f"email:{name}", "use_a", cause) for name in ("ann@x", "Ann@x", "anna@x", "bob@x", "an\U0001f680", "a%")
    ]
    changes = Changes(profiles=[NewProfile("use_a", "users", 1)], links=links)
    store.run(lambda connection: graph.write(connection, space_id, changes))

    def found(text: str, exact: bool = False) -> list[str]:
        prefixes = [f"email:{text}", f"user_id:{text}"]
        return store.run(lambda connection: components.search(connection, space_id, prefixes, exact=exact, limit=10))

    assert [found(text) for text in ("an", "Ann@x", "bo", "a%", "an\U0001f680")] == [["use_a"]] * 5
    assert [found(text) for text in ("B", "x", "_", "an@")] == [[]] * 4
    assert (found("ann@x", exact=True), found("ann", exact=True), found("a\0")) == (["use_a"], [], [])


@_promise
def of_violations_the_newest_are_kept_and_none_is_there_twice(store: Store) -> None:
    """A sender cannot fill the database with them."""
    space_id, cause = _graph(store)

    def write(numbers: range) -> None:
        broken = [Violation(f"vio_{n:06}", "value_blocked", "user_id:x", "user_id", "", cause) for n in numbers]
        store.run(lambda connection: graph.write(connection, space_id, Changes(violations=broken)))

    write(range(graph.VIOLATIONS))
    write(range(graph.VIOLATIONS - 5, graph.VIOLATIONS + 20))
    page = store.run(lambda connection: components.list_violations(connection, space_id, limit=graph.VIOLATIONS * 2))
    assert len(page) == graph.VIOLATIONS
    assert (page[0].id, page[-1].id) == (f"vio_{graph.VIOLATIONS + 19:06}", "vio_000020")
    after = store.run(lambda connection: components.list_violations(connection, space_id, before=page[1].id, limit=1))
    assert after == [page[2]]


@_promise
def groups_and_new_types_are_written_once(store: Store) -> None:
    """A group call that comes again changes nothing, and a type is added to the rules of its space."""
    space_id, cause = _graph(store)
    changes = _two_people(cause)
    changes.profiles.append(NewProfile("acc_g", "accounts", 3))
    changes.links.append(Link("group_id:g", "acc_g", cause))
    changes.types = {"phone": "users", "email": "users"}
    store.run(lambda connection: graph.write(connection, space_id, changes))
    grouping = Changes(groups=[GroupLink("use_b", "acc_g", cause)], types={"phone": "accounts"})
    for _ in range(2):
        store.run(lambda connection: graph.write(connection, space_id, grouping))
    store.run(lambda connection: graph.write(connection, space_id, _one_person(cause)))
    companies = store.run(lambda connection: components.groups(connection, ["use_a", "use_b"], of_users=True))
    people = store.run(lambda connection: components.groups(connection, ["acc_g"], of_users=False))
    assert ([one[0] for one in companies], [one[0] for one in people]) == (["acc_g"], ["use_a"])
    kinds = {kind.name: kind.collection for kind in store.run(workspaces.load).spaces[-1].identifiers}
    assert kinds["phone"] == "users"


@_promise
def what_is_known_of_a_profile_is_found_through_whom_merges_made_it(store: Store) -> None:
    """Each partition replaces its own states alone, and a merge leaves them where they are."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))
    for partition, changed in ((0, {"use_a": b"1", "use_b": b"\0\xff"}), (1, {"use_b": b"3"}), (0, {"use_a": b"4"})):
        store.run(lambda connection, p=partition, c=changed: known.write(connection, p, c))
    store.run(lambda connection: known.write(connection, 0, {}))
    asked = ["use_a", "use_b", "use_none", *(f"use_{number}" for number in range(600))]
    assert store.run(lambda connection: known.states(connection, 0, asked)) == {"use_a": b"4", "use_b": b"\0\xff"}
    assert store.run(lambda connection: known.states(connection, 1, asked)) == {"use_b": b"3"}
    two = store.run(lambda connection: known.of_people(connection, ["use_a", "use_b"]))
    assert two == {"use_a": [b"4"], "use_b": [b"\0\xff", b"3"]}
    store.run(lambda connection: graph.write(connection, space_id, _one_person(cause)))
    one = store.run(lambda connection: known.of_people(connection, asked))
    assert one == {"use_a": [b"4", b"\0\xff", b"3"]}


@_promise
def what_people_want_to_be_sent_is_kept_by_place(store: Store) -> None:
    """A state is put in the place of the one before; others of the address, the channel and the space stay."""
    space_id, _ = _graph(store)
    mail, group = messaging.State("EMAIL", "Ä@x", "", "SUBSCRIBED", 1), messaging.State("EMAIL", "Ä@x", "News", "NO", 1)
    store.run(lambda connection: messaging.put(connection, space_id, [group, mail]))
    store.run(lambda connection: messaging.put(connection, space_id, []))
    later = msgspec.structs.replace(mail, status="UNSUBSCRIBED", at=2)
    store.run(lambda connection: messaging.put(connection, space_id, [mail, later]))
    places = [("EMAIL", "Ä@x"), ("SMS", "Ä@x"), ("EMAIL", "none")]
    found = store.run(lambda connection: messaging.find(connection, space_id, places), write=False)
    assert found == {("EMAIL", "Ä@x"): [later, group]}
    assert store.run(lambda connection: messaging.find(connection, "spa_other", places), write=False) == {}
    # Letters of four bytes, with nothing in them that repeats and that an index could make shorter.
    letters = "".join(chr(0x20000 + number) for number in range(500))
    longest = messaging.State("ANDROID_PUSH", letters, letters[::-5], "SUBSCRIBED", 3)
    store.run(lambda connection: messaging.put(connection, space_id, [longest]))
    places = [("ANDROID_PUSH", letters)]
    assert store.run(lambda connection: messaging.find(connection, space_id, places), write=False) == {
        places[0]: [longest]
    }


@_promise
def who_stands_otherwise_is_found_in_the_order_of_moments(store: Store) -> None:
    """Those of a space whose standing was written, by pages, none later than asked, and found again when it changes."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))
    store.run(lambda connection: standing.write_standings(connection, {"use_b": b"1", "use_a": b"2", "use_none": b"3"}))
    soon = workspaces.now() + 60_000

    def found(after: tuple[int, str], *, space: str = space_id, until: int = soon, limit: int = 9) -> list[str]:
        places = store.run(
            lambda connection: standing.written_after(connection, space, after, until=until, limit=limit), write=False
        )
        return [id for _, id in places]

    assert sorted(found((0, ""))) == ["use_a", "use_b"]
    store.run(lambda connection: connection.execute(standings_of_profiles.update().values(written_at=7)))
    assert found((0, "")) == ["use_a", "use_b"]
    assert (found((0, ""), limit=1), found((7, "use_a")), found((7, "use_b"))) == (["use_a"], ["use_b"], [])
    assert (found((0, ""), until=6), found((0, ""), space="spa_other")) == ([], [])
    store.run(lambda connection: standing.write_standings(connection, {"use_a": b"4"}))
    assert found((7, "use_b")) == ["use_a"]
    store.run(lambda connection: standing.part(connection, "use_a", ["use_b"], 0))
    assert found((7, "use_b")) == ["use_a"], "who stood already stands as before"


@_promise
def profiles_are_looked_up_together_by_any_of_their_names(store: Store) -> None:
    """By identifiers and by ids, merged or not, each with all states and standings; others and strangers are not."""
    space_id, cause = _graph(store)
    store.run(lambda connection: graph.write(connection, space_id, _two_people(cause)))
    for partition, changed in ((1, {"use_b": b"3"}), (0, {"use_a": b"1", "use_b": b"\0\xff"})):
        store.run(lambda connection, p=partition, c=changed: known.write(connection, p, c))
    store.run(lambda connection: standing.write_standings(connection, {"use_b": b"stands"}))
    names = ["user_id:u", "email:Ä", "anonymous_id:v", "use_b", "use_none", "x:\0", *(f"x:{n}" for n in range(600))]

    def look_up(space_id: str) -> dict[str, tuple[str, list[bytes], dict[str, bytes]]]:
        found = store.run(lambda connection: lookups.look_up(connection, space_id, names), write=False)
        return {name: (one.id, one.states, one.standings) for name, one in found.items()}

    user, visitor = ("use_a", [b"1"], {}), ("use_b", [b"\0\xff", b"3"], {"use_b": b"stands"})
    assert look_up(space_id) == {"user_id:u": user, "email:Ä": user, "anonymous_id:v": visitor, "use_b": visitor}
    store.run(lambda connection: graph.write(connection, space_id, _one_person(cause)))
    one = ("use_a", [b"1", b"\0\xff", b"3"], {"use_b": b"stands"})
    assert look_up(space_id) == dict.fromkeys(("user_id:u", "email:Ä", "anonymous_id:v", "use_b"), one)
    assert look_up("spa_other") == {}
