"""Of several processes that start at once, one makes the first workspace, and the others go on with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from headwater.app.house import made_by_one
from headwater.app.shapes import FirstStart
from headwater.spec.errors import SenderError
from headwater.store import Store
from headwater.store import workspace as workspaces
from headwater.store.schema import workspaces as table


def late(connection: Connection) -> FirstStart:
    """A first start that looked before the other was done, and writes after it."""
    workspaces.create_workspace(connection, slug="headwater", name="Headwater")
    return FirstStart("write-key", "admin-token")


def at_the_same_instant(connection: Connection) -> FirstStart:
    """One that neither sees the other nor waits for it: the database finds out."""
    row = connection.execute(table.select()).one()._mapping
    connection.execute(table.insert().values(dict(row) | {"id": "another"}))
    return FirstStart("write-key", "admin-token")


@pytest.mark.parametrize("loser", [late, at_the_same_instant])
def test_who_comes_second_has_made_nothing_and_goes_on(tmp_path: Path, loser: object) -> None:
    store = Store.in_folder(tmp_path)
    store.migrate()
    assert made_by_one(store, late) is not None
    assert made_by_one(store, loser) is None  # type: ignore[arg-type]
    store.close()


def test_what_fails_without_another_is_told(tmp_path: Path) -> None:
    def refused(connection: Connection) -> FirstStart:
        raise SenderError("The slug is in use.", code="conflict", status=409)

    store = Store.in_folder(tmp_path)
    store.migrate()
    with pytest.raises(SenderError, match="slug"):
        made_by_one(store, refused)
    store.close()
