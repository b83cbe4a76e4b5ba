"""Subscriptions of destinations: a version that moves with what they mean."""

from functools import partial

import pytest
from sqlalchemy.engine import Connection

from headwater.store import Store, subscriptions
from headwater.store import workspace as workspaces


@pytest.mark.parametrize(
    ("mapping", "version"), [({"n": 1, "m": 2}, 1), ({"m": 2, "n": 1}, 1), ({"n": True, "m": 2}, 2), ({"n": 1.0}, 2)]
)
def test_a_mapping_that_says_something_else_moves_the_version(
    store: Store, mapping: dict[str, object], version: int
) -> None:
    def make(connection: Connection) -> str:
        workspaces.create_workspace(connection, slug="w", name="W")
        source = workspaces.create_source(connection, slug="s", name="S")
        return workspaces.create_destination(connection, source_id=source.id, definition="crm", name="CRM").id

    there = store.run(make)
    create = partial(subscriptions.create, destination_id=there, name="One", action="send", trigger="all")
    made = store.run(partial(create, mapping={"n": 1, "m": 2}, enabled=True))
    change = partial(subscriptions.update, destination_id=there, subscription_id=made.id, mapping=mapping)
    after = store.run(change)
    assert after.version == version
    assert repr(after.mapping["n"]) == repr(mapping["n"])
