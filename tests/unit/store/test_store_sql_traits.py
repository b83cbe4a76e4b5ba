"""SQL traits in the store: what is kept of them, and when they are due."""

import pytest

from headwater.spec.errors import SenderError
from headwater.spec.sql_trait import SQL_TRAITS, SqlRun, SqlTrait
from headwater.store import Store, sql_traits
from headwater.store import workspace as workspaces

RUN = SqlRun(started_at=5, ended_at=9, rows=3, changed=2, discarded={"null_key": 1})


def made(store: Store) -> SqlTrait:
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    space = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
    wanted = SqlTrait(id="", space_id=space.id, name="Orders", sql="select 1", key="email")
    return store.run(lambda connection: sql_traits.create(connection, wanted))


def test_an_sql_trait_is_due_at_once_and_its_space_has_a_source_without_a_write_key(store: Store) -> None:
    trait = made(store)
    assert store.run(lambda connection: sql_traits.due(connection, trait.created_at)) == trait
    again = store.run(lambda connection: sql_traits.source_of(connection, trait.space_id))
    found = [one for one in store.run(workspaces.load).sources if one.kind == SQL_TRAITS]
    assert found == [again]
    assert (again.write_keys, again.slug, again.name) == ((), "sql_traits_people", "SQL traits (People)")


def test_a_run_is_kept_and_the_next_one_waits(store: Store) -> None:
    trait = made(store)
    later = trait.due_at + 1_000
    store.run(lambda connection: sql_traits.ended(connection, trait, RUN, due_at=later))
    [found] = store.run(lambda connection: sql_traits.of_space(connection, trait.space_id))
    assert (found.last_run, found.due_at) == (RUN, later)
    assert store.run(lambda connection: sql_traits.due(connection, later - 1)) is None


def test_a_run_that_is_asked_for_while_one_runs_comes_after_it(store: Store) -> None:
    trait = made(store)
    store.run(lambda connection: sql_traits.update(connection, trait.id, due_at=trait.due_at + 7))
    store.run(lambda connection: sql_traits.ended(connection, trait, RUN, due_at=trait.due_at + 1_000))
    assert store.run(lambda connection: sql_traits.find(connection, trait.id)).due_at == trait.due_at + 7


def test_what_is_disabled_is_not_due_and_stands_no_more(store: Store) -> None:
    trait = made(store)
    assert store.run(lambda connection: sql_traits.stands(connection, trait))
    store.run(lambda connection: sql_traits.update(connection, trait.id, enabled=False))
    assert store.run(lambda connection: sql_traits.due(connection, trait.due_at)) is None
    assert not store.run(lambda connection: sql_traits.stands(connection, trait))


def test_what_is_deleted_is_gone(store: Store) -> None:
    trait = made(store)
    store.run(lambda connection: sql_traits.delete(connection, trait.id))
    assert store.run(sql_traits.ids) == set()
    assert not store.run(lambda connection: sql_traits.stands(connection, trait))
    for change in (sql_traits.find, sql_traits.delete):
        with pytest.raises(SenderError, match="no such SQL trait"):
            store.run(lambda connection, change=change: change(connection, trait.id))
