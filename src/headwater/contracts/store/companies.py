"""What the store promises of companies above and below one another."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from headwater.contracts.store.attempts import Promise, adding_to
from headwater.spec.graph import Cause, Changes, GroupLink, Merge, NewProfile, ParentLink
from headwater.store import Store, accounts, components, graph
from headwater.store import workspace as workspaces

OF_COMPANIES: Final[list[Promise]] = []
_promise = adding_to(OF_COMPANIES)


def _companies(store: Store, *names: str) -> tuple[str, Cause]:
    """A space with companies of these names, and a person in each."""
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    space_id = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People")).id
    cause = Cause("m1", "group", "", "s1", 1_000, "user_id:u")
    made = Changes()
    for name in names:
        made.profiles += [NewProfile(f"acc_{name}", "accounts", 1), NewProfile(f"use_{name}", "users", 1)]
        made.groups.append(GroupLink(f"use_{name}", f"acc_{name}", cause))
    store.run(lambda connection: graph.write(connection, space_id, made))
    return space_id, cause


def _below(child: str, parent: str, at: int, cause: Cause) -> ParentLink:
    cause = msgspec.structs.replace(cause, message_id=f"{child} below {parent}")
    return ParentLink(f"acc_{child}", parent and f"acc_{parent}", f"group_id:{parent}", at, cause)


@_promise
def a_company_is_below_the_one_that_its_newest_event_says(store: Store) -> None:
    """Whenever that comes; merges carry both the companies below and the people along."""
    space_id, cause = _companies(store, "a", "b", "c", "d", "x")

    def told(*links: ParentLink, merges: tuple[Merge, ...] = (), **based_on: int) -> int:
        changes = Changes(parents=list(links), merges=list(merges), based_on=based_on)
        return store.run(lambda connection: graph.write(connection, space_id, changes))

    def line(name: str) -> list[str]:
        return store.run(lambda connection: accounts.ancestors(connection, [f"acc_{name}"]))[f"acc_{name}"]

    assert told(_below("c", "b", 5, cause), _below("b", "a", 5, cause), _below("d", "b", 5, cause)) == 0
    assert told(_below("c", "a", 4, cause), _below("d", "", 6, cause), _below("d", "b", 5, cause)) == 0
    assert (line("c"), line("d"), line("a")) == (["acc_b", "acc_a"], [], [])
    assert store.run(lambda connection: accounts.children(connection, "acc_a")) == ["acc_b"]
    below = store.run(lambda connection: accounts.descendants(connection, "acc_a"))
    assert (below, below.cut) == (["acc_b", "acc_c"], False)
    few = store.run(lambda connection: accounts.descendants(connection, "acc_a", limit=1))
    assert (few, few.cut) == (["acc_b"], True)
    people = store.run(lambda connection: accounts.users_of(connection, "acc_a"))
    assert (people, people.cut) == (["use_a", "use_b", "use_c"], False)
    assert store.run(lambda connection: accounts.users_of(connection, "acc_a", limit=2)).cut
    companies = store.run(lambda connection: accounts.accounts_of(connection, ["use_c", "use_d", "use_none"]))
    assert companies == {"use_c": ["acc_c", "acc_b", "acc_a"], "use_d": ["acc_d"]}
    merge = Merge("mrg_1", "group_id:b", "group_id:x", "acc_b", "acc_x", "acc_b", "acc_x", cause)
    assert told(_below("x", "d", 9, cause), merges=(merge,), acc_b=1, acc_x=1) == 0
    assert (line("c"), line("b")) == (["acc_b", "acc_d"], ["acc_d"])
    people = store.run(lambda connection: accounts.users_of(connection, "acc_d"))
    assert people == ["use_b", "use_c", "use_d", "use_x"]


@_promise
def no_company_is_above_itself_and_ten_are_above_one_another(store: Store) -> None:
    """What would be is refused with a violation, also when two decide at once."""
    names = [f"{number:02}" for number in range(14)]
    space_id, cause = _companies(store, *names)

    def told(*links: ParentLink) -> list[str]:
        store.run(lambda connection: graph.write(connection, space_id, Changes(parents=list(links))))
        found = store.run(lambda connection: components.list_violations(connection, space_id))
        return sorted(one.kind for one in found)

    chain = [_below(child, parent, 1, cause) for child, parent in itertools.pairwise(names[:11])]
    assert told(_below("00", "00", 1, cause)) == ["parent_above_itself"]
    assert told(*chain) == ["parent_above_itself"]
    assert told(_below("10", "00", 2, cause)) == ["parent_above_itself"] * 2
    assert told(_below("10", "11", 2, cause)) == ["parent_above_itself"] * 2 + ["parent_too_deep"]
    assert told(_below("12", "00", 2, cause)) == ["parent_above_itself"] * 2 + ["parent_too_deep"] * 2
    assert told(_below("12", "01", 2, cause), _below("13", "12", 2, cause))[2:] == ["parent_too_deep"] * 3
    below = store.run(lambda connection: accounts.descendants(connection, "acc_10"))
    assert set(below) == {f"acc_{name}" for name in [*names[:10], "12"]}
    circle = [_below("11", "13", 4, cause), _below("13", "11", 4, cause)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(told, circle))
    up = store.run(lambda connection: accounts.parents(connection, ["acc_11", "acc_13"]))
    assert up in ({"acc_11": "acc_13"}, {"acc_13": "acc_11"})
