"""Tokens of destinations: kept for the newest grant, refreshed by one at a time, refused with a pause of their own."""

from functools import partial

import pytest

from headwater.store import Store, audit, authorizations
from headwater.store import workspace as workspaces
from headwater.store.authorizations import Link

TOKENS = {"access_token": "sealed:1", "refresh_token": "sealed:2"}


@pytest.fixture
def destination_id(store: Store) -> str:
    def make(connection) -> str:
        workspaces.create_workspace(connection, slug="w", name="W")
        source = workspaces.create_source(connection, slug="s", name="S")
        made = workspaces.create_destination(connection, source_id=source.id, definition="crm", name="CRM")
        return made.id

    return store.run(make)


def standing(store: Store, destination_id: str) -> authorizations.Authorization:
    found = store.run(partial(authorizations.find, destination_id=destination_id))
    assert found is not None
    return found


def paused(store: Store, destination_id: str) -> bool:
    return store.run(partial(workspaces.find_destination, destination_id=destination_id)).paused


def test_a_destination_has_no_tokens_at_first_and_those_that_were_granted_last(store, destination_id) -> None:
    assert standing(store, destination_id).state == ""
    store.run(lambda connection: authorizations.grant(connection, destination_id, {"access_token": "sealed:0"}))
    store.run(lambda connection: authorizations.grant(connection, destination_id, TOKENS, expires_at=99))
    found = standing(store, destination_id)
    assert (found.tokens, found.state, found.expires_at, found.version) == (TOKENS, "granted", 99, 2)
    assert store.run(partial(authorizations.find, destination_id="gone")) is None


def test_every_change_moves_the_version_of_the_tokens_and_of_the_configuration(store, destination_id) -> None:
    before = store.run(workspaces.version)
    store.run(lambda connection: authorizations.keep(connection, destination_id, TOKENS))
    assert store.run(workspaces.version) == before + 1
    destination = store.run(partial(workspaces.find_destination, destination_id=destination_id))
    assert destination.tokens_version == 1


def test_a_late_refresh_does_not_undo_a_newer_authorization(store, destination_id) -> None:
    store.run(lambda connection: authorizations.grant(connection, destination_id, TOKENS))
    late = partial(authorizations.keep, destination_id=destination_id, tokens={"access_token": "late"}, since=0)
    assert store.run(late) is None
    assert not store.run(partial(authorizations.refuse, destination_id=destination_id, detail="no", since=0))
    assert standing(store, destination_id).tokens == TOKENS
    assert standing(store, destination_id).state == "granted"


def test_a_refusal_pauses_tells_the_trail_and_the_next_grant_lifts_the_pause(store, destination_id) -> None:
    store.run(lambda connection: authorizations.grant(connection, destination_id, TOKENS))
    assert store.run(lambda connection: authorizations.refuse(connection, destination_id, "Revoked. Authorise again."))
    assert paused(store, destination_id)
    found = standing(store, destination_id)
    assert (found.state, found.detail, found.tokens) == ("refused", "Revoked. Authorise again.", TOKENS)
    lines, _ = store.run(lambda connection: audit.entries(connection, resource_id=destination_id))
    assert [line.type for line in lines] == [authorizations.REFUSED]
    assert store.run(lambda connection: authorizations.refuse(connection, destination_id, "Again."))
    assert store.run(lambda connection: authorizations.grant(connection, destination_id, TOKENS))
    assert not paused(store, destination_id)


def test_a_pause_of_the_owners_outlasts_a_new_authorization(store, destination_id) -> None:
    store.run(partial(workspaces.update_destination, destination_id=destination_id, paused=True))
    store.run(lambda connection: authorizations.refuse(connection, destination_id, "Revoked.", erase=True))
    assert standing(store, destination_id).tokens == {}
    assert not store.run(lambda connection: authorizations.grant(connection, destination_id, TOKENS))
    assert paused(store, destination_id)


def test_one_at_a_time_may_refresh_until_it_is_done_or_its_lease_is_over(store, destination_id) -> None:
    def claim(holder: str, at: int) -> bool:
        return store.run(
            partial(authorizations.claim, destination_id=destination_id, holder=holder, at=at, lease_ms=10)
        )

    assert claim("a", 100)
    assert not claim("b", 105)
    assert claim("a", 105)
    assert claim("b", 115)
    store.run(partial(authorizations.release, destination_id=destination_id, holder="a"))
    assert not claim("a", 116)
    store.run(partial(authorizations.release, destination_id=destination_id, holder="b"))
    assert claim("a", 117)
    assert not store.run(partial(authorizations.claim, destination_id="gone", holder="a", at=1, lease_ms=1))


def test_what_was_begun_can_be_finished_once_and_in_time(store, destination_id) -> None:
    link = Link(
        destination_id=destination_id, session_id="s", actor="a", verifier="v", redirect_url="http://h", expires_at=50
    )
    store.run(lambda connection: authorizations.begin(connection, "one", link, at=10))
    assert store.run(lambda connection: authorizations.finish(connection, "other", at=20)) is None
    assert store.run(lambda connection: authorizations.finish(connection, "one", at=20)) == link
    assert store.run(lambda connection: authorizations.finish(connection, "one", at=20)) is None
    store.run(lambda connection: authorizations.begin(connection, "two", link, at=10))
    store.run(lambda connection: authorizations.begin(connection, "three", link, at=10))
    assert store.run(lambda connection: authorizations.finish(connection, "two", at=20)) is None
    assert store.run(lambda connection: authorizations.finish(connection, "three", at=50)) is None
