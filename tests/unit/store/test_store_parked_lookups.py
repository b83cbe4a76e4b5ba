"""However many deliveries wait, what became of a few is written down by looking those up."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from headwater.store import Store, parked
from headwater.store.parked import Change, ParkedDelivery

WAITING, NOW = 300, 1_704_067_200_000


def delivery(number: int) -> ParkedDelivery:
    return ParkedDelivery(
        id=f"d.0.{number}",
        destination_id="d",
        source_id="s",
        partition=0,
        position=number,
        message_id=f"m{number}",
        event_type="track",
        event_name="Tick",
        received_at=NOW,
        payload=b"{}",
        state="waiting",
        reason="RETRY",
        counted_at=NOW,
        parked_reason="RETRY",
        detail="",
        attempts=1,
        notes=[],
        parked_at=NOW,
        due_at=NOW,
        expires_at=NOW + 1,
    )


@pytest.fixture
def backlog(tmp_path: Path) -> Store:
    store = Store.in_folder(tmp_path)
    store.migrate()
    store.run(partial(parked.park, deliveries=[delivery(number) for number in range(WAITING)]))
    return store


def plans_of(store: Store, change: Any) -> list[str]:
    """How SQLite finds the parked deliveries of each statement that a change runs."""
    found: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "parked" in statement and not statement.startswith("EXPLAIN"):
            given = parameters[0] if many else parameters
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", given)
            found.extend(row[3] for row in cursor.fetchall())

    def watched(connection: Any) -> None:
        sa.event.listen(connection, "before_cursor_execute", explain)
        change(connection)

    store.run(watched)
    return [each for each in found if each.startswith(("SEARCH parked", "SCAN parked"))]


@pytest.mark.parametrize("state", ["waiting", "failed", "delivered"])
def test_settling_a_few_walks_over_no_others(backlog: Store, state: Any) -> None:
    changes = [Change(id=f"d.0.{number}", state=state, reason="", at=NOW, due_at=NOW + 1) for number in range(4)]
    plans = plans_of(backlog, partial(parked.settle, changes=changes))
    assert plans and all("(id=?)" in plan for plan in plans), plans


@pytest.mark.parametrize("claimed", [0, NOW])
def test_giving_a_few_back_walks_over_no_others(backlog: Store, claimed: int) -> None:
    ids = [f"d.0.{number}" for number in range(4)]
    plans = plans_of(backlog, partial(parked.release, ids=ids, due_at=NOW + 1, claimed=claimed))
    assert plans and all("(id=?)" in plan for plan in plans), plans
