"""Spaces: the one that houses from before get, and rules that are kept as they were."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

from headwater.spec.space import DEFAULT_TYPES, Blocked, IdentifierType
from headwater.store import Store, migrations
from headwater.store import workspace as workspaces


def migrate(store: Store, revision: str) -> None:
    def apply(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(migrations.__path__[0]))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    store.run(apply)


def test_a_house_from_before_gets_one_space_for_all_its_sources(empty_store: Store) -> None:
    migrate(empty_store, "0003")
    empty_store.run(
        lambda one: one.execute(
            sa.text(
                "INSERT INTO workspaces (id, slug, name, version, locked, created_at) VALUES ('w','w','W',7,:no,1)"
            ),
            {"no": False},
        )
    )
    empty_store.migrate()
    workspace = empty_store.run(workspaces.load)
    (space,) = workspace.spaces
    assert (space.slug, space.all_sources, space.identifiers, space.alias) == ("default", True, DEFAULT_TYPES, "merge")
    assert space.id.startswith("spa_") and len(space.id) == 31
    assert workspace.version == 8


def test_a_new_database_has_no_space_before_the_workspace_is_made(store: Store) -> None:
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    assert store.run(workspaces.load).spaces == ()


def test_rules_are_read_as_they_were_written(store: Store) -> None:
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    kinds = (
        IdentifierType(name="phone", limit=2, frequency="WEEKLY", blocked=(Blocked("^0*$", "pattern"),), priority=3),
    )
    made = store.run(
        lambda connection: workspaces.create_space(
            connection, slug="s", name="S", all_sources=False, rules={"identifiers": kinds, "source_ids": ("a", "b")}
        )
    )
    assert store.run(workspaces.load).spaces == (made,)
    assert (made.identifiers, made.source_ids, made.takes("a"), made.takes("c")) == (kinds, ("a", "b"), True, False)
