"""What the store must keep on every database that it runs on, one function each.

For those who try another database: make a Store over an empty one, call its `migrate`, and call every function of
PROMISES with it, each with a database of its own. Each raises AssertionError when a promise is broken. Nothing here
needs a test framework.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headwater.contracts.companies import OF_COMPANIES
from headwater.spec.errors import SenderError
from headwater.spec.graph import Cause, Changes, GroupLink, Link, Merge, NewProfile, Violation
from headwater.spec.outcome import Count, Step
from headwater.store import (
    Store,
    audit,
    components,
    graph,
    known,
    ledger,
    names,
    sessions,
    space_tokens,
    tokens,
    users,
)
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")
Promise = Callable[[Store], None]
Change = Callable[["Connection"], Any]
_promises: list[Promise] = []
_THREADS = 6


def _promise(check: Promise) -> Promise:
    _promises.append(check)
    return check


def _workspace(store: Store) -> str:
    """A workspace with one source, whose id is returned."""
    store.run(lambda connection: workspaces.create_workspace(connection, slug="acme", name="Acme"))
    return store.run(lambda connection: workspaces.create_source(connection, slug="web", name="Web")).id


def _refused(store: Store, change: Change) -> int:
    try:
        store.run(change)
    except SenderError as error:
        return error.status
    raise AssertionError("The store took what it must refuse.")


def _at_once(task: Callable[[], T], times: int) -> list[T]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return [running.result() for running in [pool.submit(task) for _ in range(times)]]


@_promise
def migrating_twice_changes_nothing(store: Store) -> None:
    """A house that starts again, or in several processes, finds its tables and leaves them."""
    source_id = _workspace(store)
    _at_once(store.migrate, _THREADS)
    assert store.run(workspaces.load).sources[0].id == source_id


@_promise
def what_is_written_is_read_back_as_it_was(store: Store) -> None:
    """Text of any kind, nested JSON, numbers beyond 32 bits, and lists keep their values."""
    source_id = _workspace(store)
    settings: dict[str, Any] = {"text": "Zürich 🚀 \\ ' \" \n", "deep": {"list": [1, 2.5, None, True]}, "big": 2**53}
    store.run(lambda connection: workspaces.update_source(connection, source_id, settings=settings, name="Ä"))
    source = store.run(workspaces.load).sources[0]
    assert (source.settings, source.name, source.enabled) == (settings, "Ä", True)


@_promise
def every_change_moves_the_version_and_only_a_change(store: Store) -> None:
    """Roles look at the version alone to see whether their snapshot is old."""
    source_id = _workspace(store)
    versions = [store.run(workspaces.version)]

    def moved(change: Change) -> Any:
        answer = store.run(change)
        versions.append(store.run(workspaces.version))
        assert versions[-1] > versions[-2], change
        return answer

    moved(lambda connection: workspaces.update_source(connection, source_id, enabled=False))
    key = moved(lambda connection: workspaces.create_write_key(connection, source_id))
    moved(lambda connection: workspaces.remove_write_key(connection, source_id, key))
    destination = moved(
        lambda connection: workspaces.create_destination(
            connection, source_id=source_id, definition="webhook", name="Hook"
        )
    )
    moved(lambda connection: workspaces.update_destination(connection, destination.id, paused=True))
    moved(lambda connection: workspaces.delete_destination(connection, destination.id))
    warehouse = moved(lambda connection: workspaces.create_warehouse(connection, engine="duckdb", name="Lake"))
    moved(lambda connection: workspaces.connect_warehouse(connection, warehouse.id, source_id, connected=False))
    moved(lambda connection: workspaces.delete_warehouse(connection, warehouse.id))
    moved(lambda connection: workspaces.delete_source(connection, source_id))
    store.run(workspaces.load)
    store.run(lambda connection: tokens.create_token(connection, name="T", scopes=["*"]))
    assert store.run(workspaces.version) == versions[-1]


@_promise
def a_change_that_fails_leaves_nothing_behind(store: Store) -> None:
    """All of a transaction or none of it."""
    _workspace(store)
    before = store.run(workspaces.load)

    def half(connection: Connection) -> None:
        workspaces.create_source(connection, slug="half", name="Half")
        raise SenderError("Enough.", status=400)

    assert _refused(store, half) == 400
    assert store.run(workspaces.load) == before


@_promise
def what_is_there_already_is_refused_and_what_is_not_there_is_missed(store: Store) -> None:
    """409 and 404, for each kind of resource."""
    source_id = _workspace(store)
    key = store.run(workspaces.load).sources[0].write_keys[0]
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    again: tuple[Change, ...] = (
        lambda connection: workspaces.create_workspace(connection, slug="b", name="B"),
        lambda connection: workspaces.create_source(connection, slug="web", name="Web"),
        lambda connection: workspaces.create_source(connection, slug="x", name="X", write_key=key),
        lambda connection: workspaces.create_write_key(connection, other, key),
        lambda connection: workspaces.update_source(connection, other, slug="web"),
    )
    gone: tuple[Change, ...] = (
        lambda connection: workspaces.find_source(connection, "none"),
        lambda connection: workspaces.update_source(connection, "none", name="X"),
        lambda connection: workspaces.delete_source(connection, "none"),
        lambda connection: workspaces.remove_write_key(connection, other, key),
        lambda connection: workspaces.create_destination(connection, source_id="none", definition="d", name="D"),
        lambda connection: workspaces.update_destination(connection, "none", name="X"),
        lambda connection: workspaces.delete_warehouse(connection, "none"),
        lambda connection: workspaces.connect_warehouse(connection, "none", source_id, connected=True),
        lambda connection: tokens.delete_token(connection, "none"),
    )
    assert [_refused(store, change) for change in again] == [409] * len(again)
    assert [_refused(store, change) for change in gone] == [404] * len(gone)


@_promise
def a_source_takes_its_keys_and_destinations_with_it(store: Store) -> None:
    """And warehouses no longer name it."""
    source_id = _workspace(store)
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    for owner in (source_id, other):
        store.run(
            lambda connection, owner=owner: (
                workspaces.create_destination(connection, source_id=owner, definition="webhook", name="Hook").id
            )
        )
    lake = store.run(lambda connection: workspaces.create_warehouse(connection, engine="duckdb", name="Lake")).id
    store.run(lambda connection: workspaces.connect_warehouse(connection, lake, source_id, connected=False))
    store.run(lambda connection: workspaces.delete_source(connection, source_id))
    left = store.run(workspaces.load)
    assert [one.id for one in left.sources] == [other]
    assert [one.source_id for one in left.destinations] == [other]
    assert left.warehouses[0].without_source_ids == ()


@_promise
def a_source_takes_what_its_events_held_with_it(store: Store) -> None:
    """Counts of names and sampled events; those of other sources stay."""
    source_id = _workspace(store)
    other = store.run(lambda connection: workspaces.create_source(connection, slug="shop", name="Shop")).id
    for owner in (source_id, other):
        count = names.NameCount(owner, "track", "Bought", 1, 1, 1)
        sample = names.Sample(owner, "track", "Bought", 1, 1, {}, b"{}")
        store.run(lambda connection, count=count: names.add(connection, [count]))
        store.run(lambda connection, sample=sample: names.keep(connection, [sample]))
    store.run(lambda connection: workspaces.delete_source(connection, source_id))
    for owner, kept in ((source_id, False), (other, True)):
        key = (owner, "track", "Bought")
        assert (store.run(lambda connection, key=key: names.one(connection, key)) is not None) is kept
        assert (store.run(lambda connection, key=key: names.sample(connection, key)) is not None) is kept


@_promise
def changes_at_the_same_time_lose_nothing(store: Store) -> None:
    """A resource that is found in a transaction stays as it is until the transaction ends."""
    source_id = _workspace(store)

    def add(number: int) -> None:
        def change(connection: Connection) -> None:
            before = workspaces.find_source(connection, source_id).settings
            workspaces.update_source(connection, source_id, settings={**before, str(number): number})

        store.run(change)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(add, range(_THREADS * 4)))
    assert len(store.run(workspaces.load).sources[0].settings) == _THREADS * 4


@_promise
def counts_at_the_same_time_add_up(store: Store) -> None:
    """The books are added to by several processes."""
    count = [Count("s", "", 1, Step.RECEIVED, "", 2), Count("s", "d", 1, Step.MATCHED, "", 1)]
    _at_once(lambda: store.run(lambda connection: ledger.add(connection, count)), _THREADS * 4)
    sums = {one.step: one.events for one in store.run(ledger.totals)}
    assert sums == {"received": _THREADS * 8, "matched": _THREADS * 4}


@_promise
def of_those_who_derive_the_same_one_goes_on(store: Store) -> None:
    """A cursor moves once from where it stood, whoever asks, also from the very beginning."""
    for start in (0, 10):

        def move(start: int = start) -> bool:
            return store.run(lambda connection: ledger.advance(connection, "x", 0, start, start + 10))

        assert sum(_at_once(move, _THREADS)) == 1
    assert store.run(lambda connection: ledger.cursor(connection, "x", 0)) == 20


@_promise
def tokens_are_found_by_their_text_alone_until_they_expire(store: Store) -> None:
    """The text is nowhere in the database, and the last admin token stays."""
    text, token_id = store.run(
        lambda connection: tokens.create_token(connection, name="T", scopes=["*"], expires_at=1_000)
    )
    found = store.run(lambda connection: tokens.find_token(connection, text, 999))
    assert found is not None
    assert (found.id, found.scopes) == (token_id, ("*",))
    assert store.run(lambda connection: tokens.find_token(connection, text, 1_000)) is None
    assert store.run(lambda connection: tokens.find_token(connection, tokens.digest(text), 1)) is None
    _, admin = store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))
    assert _refused(store, lambda connection: tokens.delete_token(connection, admin)) == 409
    store.run(lambda connection: tokens.delete_token(connection, token_id))
    assert [one.id for one in store.run(tokens.list_tokens)] == [admin]


def _user(store: Store, email: str, *roles: str, digest: str | None = "a digest") -> str:
    return store.run(
        lambda connection: users.create_user(connection, email=email, name="N", digest=digest, permissions=roles, at=1)
    ).id


@_promise
def a_user_is_found_by_an_email_in_any_case_and_there_is_one_of_each(store: Store) -> None:
    """Also of those who are made at the same time."""
    ada = _user(store, "Ada@Acme.test", "source-admin", "source-admin")
    assert store.run(lambda connection: users.find_digest(connection, " ADA@acme.test")) == (ada, "a digest")
    assert store.run(lambda connection: users.find_digest(connection, "eve@acme.test")) == (None, None)
    assert store.run(lambda connection: users.find_user(connection, ada)).permissions == ("source-admin",)

    def make() -> int:
        try:
            _user(store, "bob@acme.test")
        except SenderError as error:
            return error.status
        return 201

    assert sorted(_at_once(make, _THREADS)) == [201] + [409] * (_THREADS - 1)
    assert sorted(one.email for one in store.run(users.list_users)) == ["ada@acme.test", "bob@acme.test"]
    assert _refused(store, lambda connection: users.find_user(connection, "none")) == 404
    assert _refused(store, lambda connection: users.delete_users(connection, [ada, "none"])) == 404
    assert len(store.run(users.list_users)) == 2


@_promise
def a_session_has_the_scopes_of_its_holder_at_each_moment_and_ends_with_them(store: Store) -> None:
    """Whether the holder is a user or a token; nobody sees a session among the tokens."""
    ada = _user(store, "ada@acme.test", "workspace-member")
    token, token_id = store.run(
        lambda connection: tokens.create_token(connection, name="T", scopes=["sources:read"], expires_at=5_000)
    )
    store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))

    def look(text: str, at: int = 10) -> tokens.Token | None:
        return store.run(lambda connection: tokens.find_token(connection, text, at))

    of_user, begun = store.run(lambda connection: sessions.begin_with_user(connection, ada, "a digest", 1))
    of_token, other = store.run(lambda connection: sessions.begin_with_token(connection, token, 1))
    assert (begun.scopes, begun.user_id, begun.email) == (("workspace:read",), ada, "ada@acme.test")
    assert (other.scopes, other.parent_id, other.expires_at) == (("sources:read",), token_id, 5_000)
    assert begun.expires_at == 1 + sessions.LASTS_MS
    assert look(of_user, 1 + sessions.LASTS_MS) is None
    store.run(lambda connection: users.set_permissions(connection, ada, ["workspace-owner"]))
    found = look(of_user)
    assert found is not None and found.scopes == ("*",)
    assert [one.name for one in store.run(tokens.list_tokens)] == ["T", "A"]
    assert _refused(store, lambda connection: tokens.delete_token(connection, begun.id)) == 404
    assert _refused(store, lambda connection: sessions.begin_with_token(connection, of_user, 1)) == 401
    store.run(lambda connection: tokens.delete_token(connection, token_id))
    assert (look(of_token), look(of_user)) == (None, found)
    store.run(lambda connection: users.delete_users(connection, [ada]))
    assert look(of_user) is None
    assert store.run(sessions.count) == 0


@_promise
def another_password_ends_the_sessions_of_its_user_and_of_nobody_else(store: Store) -> None:
    """And a sign-in that was checked against the one before begins none."""
    ada, bob = _user(store, "ada@acme.test"), _user(store, "bob@acme.test")
    for user_id in (ada, bob):
        store.run(lambda connection, user_id=user_id: sessions.begin_with_user(connection, user_id, "a digest", 1))
    store.run(lambda connection: users.renew_digest(connection, bob, "a digest", "the same, stronger"))
    assert store.run(sessions.count) == 2
    store.run(lambda connection: users.set_digest(connection, ada, "another"))
    assert store.run(sessions.count) == 1
    assert _refused(store, lambda connection: sessions.begin_with_user(connection, ada, "a digest", 1)) == 401
    store.run(lambda connection: users.renew_digest(connection, ada, "a digest", "too late"))
    text, _ = store.run(lambda connection: sessions.begin_with_user(connection, ada, "another", sessions.LASTS_MS + 1))
    assert store.run(sessions.count) == 1
    ended = store.run(lambda connection: tokens.find_token(connection, text, sessions.LASTS_MS + 1))
    assert ended is not None
    store.run(lambda connection: sessions.end_session(connection, ended.id))
    assert store.run(sessions.count) == 0


@_promise
def the_last_owner_who_can_sign_in_stays(store: Store) -> None:
    """Also when each of two removes the other, and though there are owners without a password."""
    owners = [_user(store, f"{name}@acme.test", "workspace-owner") for name in "ab"]
    _user(store, "c@acme.test", "workspace-owner", digest=None)
    left = iter(owners)

    def remove() -> int:
        user_id = next(left)
        try:
            store.run(lambda connection: users.delete_users(connection, [user_id]))
        except SenderError as error:
            return error.status
        return 200

    assert sorted(_at_once(remove, 2)) == [200, 409]
    last = next(one.id for one in store.run(users.list_users) if one.id in owners)
    assert _refused(store, lambda connection: users.set_permissions(connection, last, [])) == 409
    store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))
    store.run(lambda connection: users.delete_users(connection, [last]))


@_promise
def the_trail_is_read_newest_first_a_page_at_a_time(store: Store) -> None:
    """Lines of one instant keep the order in which they were written."""

    def write(connection: Connection) -> None:
        for number in range(25):
            audit.add(
                connection,
                audit.Entry(
                    at=1_000 + number // 10,
                    type=f"T{number}",
                    actor="a",
                    resource_type="SOURCE" if number % 2 else "TOKEN",
                    resource_id=str(number),
                    resource_name="n",
                ),
            )

    store.run(write)
    seen: list[str] = []
    for offset in range(0, 30, 10):
        lines, total = store.run(lambda connection, offset=offset: audit.entries(connection, offset=offset, count=10))
        seen += [line.type for line in lines]
        assert total == 25
    assert seen == [f"T{number}" for number in range(24, -1, -1)]
    some, total = store.run(lambda connection: audit.entries(connection, since=1_001, resource_type="SOURCE"))
    assert (len(some), total) == (7, 7)


def _graph(store: Store) -> tuple[str, Cause]:
    """A space and a cause of changes to its graph."""
    _workspace(store)
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

    assert sum(_at_once(merge, _THREADS)) == 1
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
    for refused in late:
        try:
            store.run(refused)
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
def a_token_of_a_space_opens_nothing_else(store: Store) -> None:
    """It is no token of the operations, and is taken back by its own space alone."""
    space_id, _ = _graph(store)
    other = store.run(lambda connection: workspaces.create_space(connection, slug="other", name="Other")).id
    text, made = store.run(lambda connection: space_tokens.create(connection, space_id, "CRM", 5))
    assert store.run(lambda connection: space_tokens.find(connection, text)) == made
    assert store.run(lambda connection: tokens.find_token(connection, text, 6)) is None
    assert _refused(store, lambda connection: sessions.begin_with_token(connection, text, 6)) == 401
    plain = store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))[0]
    assert store.run(lambda connection: space_tokens.find(connection, plain)) is None
    assert [one.name for one in store.run(tokens.list_tokens)] == ["A"]
    assert store.run(lambda connection: space_tokens.of_space(connection, other)) == []
    assert _refused(store, lambda connection: space_tokens.delete(connection, other, made.id)) == 404
    assert _refused(store, lambda connection: tokens.delete_token(connection, made.id)) == 404
    store.run(lambda connection: space_tokens.delete(connection, space_id, made.id))
    assert store.run(lambda connection: space_tokens.find(connection, text)) is None


PROMISES: tuple[Promise, ...] = (*_promises, *OF_COMPANIES)
"""Every promise."""
