"""However many people said what they want to be sent, a few of them are found by looking those up."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from headwater.store import Store, messaging
from headwater.store import workspace as workspaces


def test_what_a_few_want_is_found_without_walking_over_others(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    store.migrate()
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    space = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "messaging" in statement and not statement.startswith("EXPLAIN"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())

    def watched(connection: Any) -> None:
        sa.event.listen(connection, "before_cursor_execute", explain)
        messaging.find(connection, space.id, [("EMAIL", "a"), ("SMS", "a")])

    store.run(watched, write=False)
    store.close()
    assert len(plans) == 2
    assert all("(space_id=? AND type=? AND key=?)" in plan for plan in plans), plans
