"""What is derived from the counts: sums over longer spans, standings, and ages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

from headwater.spec.ages import Ages, bucket_of
from headwater.spec.outcome import Count, Step
from headwater.store import Store, ages, backlogs, ledger, migrations, parked, schema
from headwater.store.ledger import Standing
from headwater.store.parked import Change, ParkedDelivery, delivery_id


def counts(*minutes: int, step: Step = Step.DELIVERED, events: int = 1) -> list[Count]:
    return [Count("s", "d", minute, step, "", events) for minute in minutes]


def test_longer_spans_add_up_to_the_same(store: Store) -> None:
    store.run(lambda connection: ledger.add(connection, counts(0, 4, 5, 59, 60, 61)))

    def total(span: int, since: int, until: int) -> int:
        found = store.run(
            lambda connection: ledger.totals(connection, span=span, since_minute=since, until_minute=until)
        )
        return sum(count.events for count in found)

    assert [total(span, 0, 1_000) for span in (1, 5, 60)] == [6, 6, 6]
    assert [total(5, 5, 60), total(60, 60, 120), total(1, 60, 61)] == [2, 2, 1]


def test_a_series_has_each_interval_with_its_steps(store: Store) -> None:
    more = [Count("s", "", 61, Step.RECEIVED, "", 7), Count("other", "", 61, Step.RECEIVED, "", 1)]
    store.run(lambda connection: ledger.add(connection, [*counts(0, 4, 61), *more]))

    def series(width: int, destination_id: str = "d", source_id: str = "") -> dict[int, dict[str, int]]:
        return store.run(
            lambda connection: ledger.series(
                connection,
                width=width,
                since_minute=0,
                until_minute=2_880,
                destination_id=destination_id,
                source_id=source_id,
            )
        )

    assert series(1) == {0: {"delivered": 1}, 4: {"delivered": 1}, 61: {"delivered": 1}}
    assert series(60) == {0: {"delivered": 2}, 60: {"delivered": 1}}
    assert series(1_440) == {0: {"delivered": 3}}
    assert series(60, "") == {60: {"received": 8}}
    assert series(60, "", "s") == {60: {"received": 7}}


def test_a_standing_is_the_sum_of_all_time_with_the_newest(store: Store) -> None:
    key = ("s", "d", Step.PENDING)

    def add(events: int, at: int, reason: str) -> None:
        one = Count("s", "d", 1, Step.PENDING, reason, events)
        store.run(lambda connection: ledger.add(connection, [one], {key: (at, reason)}))

    add(5, 100, "RETRY")
    add(3, 90, "TIMEOUT")
    assert store.run(ledger.standing) == [Standing("s", "d", "pending", 8, 100, "RETRY")]
    store.run(lambda connection: ledger.add(connection, counts(1, step=Step.PENDING, events=-2)))
    assert store.run(ledger.standing) == [Standing("s", "d", "pending", 6, 100, "RETRY")]
    add(1, 200, "TIMEOUT")
    assert store.run(ledger.standing) == [Standing("s", "d", "pending", 7, 200, "TIMEOUT")]


def test_a_newest_without_counts_is_kept(store: Store) -> None:
    moved = [Count("s", "d", 1, Step.PENDING, "RETRY", -1), Count("s", "d", 1, Step.PENDING, "RETRY", 1)]
    store.run(lambda connection: ledger.add(connection, moved, {("s", "d", "pending"): (7, "RETRY")}))
    assert store.run(ledger.standing) == [Standing("s", "d", "pending", 0, 7, "RETRY")]


def test_a_store_of_the_first_version_has_its_sums_after_the_migration(empty_store: Store) -> None:
    def begin(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        cells = [
            (0, "delivered", "", 2),
            (4, "delivered", "", 1),
            (61, "delivered", "", 1),
            (61, "pending", "RETRY", 3),
        ]
        connection.execute(
            schema.ledger.insert(),
            [
                {
                    "minute": minute,
                    "source_id": "s",
                    "destination_id": "d",
                    "step": step,
                    "reason": why,
                    "events": events,
                }
                for minute, step, why, events in cells
            ],
        )

    empty_store.run(begin)
    empty_store.migrate()
    spans = empty_store.run(lambda connection: connection.execute(sa.select(schema.ledger_spans)).all())
    assert sorted((row.span, row.minute, row.step, row.events) for row in spans) == [
        (5, 0, "delivered", 3),
        (5, 60, "delivered", 1),
        (5, 60, "pending", 3),
        (60, 0, "delivered", 3),
        (60, 60, "delivered", 1),
        (60, 60, "pending", 3),
    ]
    assert sorted(empty_store.run(ledger.standing), key=lambda one: one.step) == [
        Standing("s", "d", "delivered", 4, 61 * 60_000, ""),
        Standing("s", "d", "pending", 3, 61 * 60_000, ""),
    ]


def test_ages_add_up_by_destination_over_spans(store: Store) -> None:
    some = [Ages("s", "d", 4, {3: 2, 9: 1}), Ages("s", "d", 5, {3: 1}), Ages("s", "e", 64, {1: 1})]
    for _ in range(2):
        store.run(lambda connection: ages.add(connection, some))

    def totals(span: int, since: int, until: int) -> dict[str, dict[int, int]]:
        return store.run(lambda connection: ages.totals(connection, span=span, since_minute=since, until_minute=until))

    assert totals(60, 0, 120) == {"d": {3: 6, 9: 2}, "e": {1: 2}}
    assert totals(5, 5, 10) == {"d": {3: 2}}
    assert store.run(lambda connection: ages.forget(connection, 10_000)) > 0
    assert totals(5, 0, 120) == {}
    assert totals(60, 0, 60) == {"d": {3: 6, 9: 2}}


AT = 28_000_000 * 60_000


def row(position: int, **more: Any) -> ParkedDelivery:
    columns: dict[str, Any] = {
        "id": delivery_id("d", 0, position),
        "destination_id": "d",
        "source_id": "s",
        "partition": 0,
        "position": position,
        "message_id": "m",
        "event_type": "track",
        "event_name": "A",
        "received_at": AT - 5_000,
        "payload": b"{}",
        "state": "waiting",
        "reason": "RETRY",
        "counted_at": AT,
        "parked_reason": "RETRY",
        "detail": "",
        "attempts": 0,
        "notes": [],
        "parked_at": AT,
        "due_at": AT,
        "expires_at": AT + 1,
    }
    return ParkedDelivery(**(columns | more))


def test_a_parked_delivery_that_ends_counts_its_age_and_its_instant_once(store: Store) -> None:
    store.run(lambda connection: parked.park(connection, [row(1)]))
    change = Change(id=row(1).id, state="delivered", reason="", at=AT + 60_000)
    for _ in range(2):
        store.run(lambda connection: parked.settle(connection, [change]))
    minute = AT // 60_000
    found = store.run(
        lambda connection: ages.totals(connection, span=60, since_minute=minute - 60, until_minute=minute + 60)
    )
    assert found == {"d": {bucket_of(65_000): 1}}
    standing = {one.step: one for one in store.run(ledger.standing)}
    assert (standing["delivered"].events, standing["delivered"].at) == (1, AT + 60_000)


def test_a_delivery_that_failed_at_once_is_the_newest_failure(store: Store) -> None:
    failed = row(1, state="failed", reason="REJECTED", ended_at=AT)
    store.run(lambda connection: parked.park(connection, [failed, row(2)]))
    standing = {one.step: one for one in store.run(ledger.standing)}
    assert (standing["failed_delivery"].at, standing["failed_delivery"].reason) == (AT, "REJECTED")


def test_a_destination_that_refused_its_credentials_is_told_from_one_that_its_owner_paused(store: Store) -> None:
    def refused() -> bool:
        return store.run(lambda connection: backlogs.refused(connection, "d"))

    store.run(lambda connection: parked.park(connection, [row(1, reason="PAUSED")]))
    assert not refused()
    told = row(2, reason="PAUSED", detail=f"{backlogs.REFUSED} 401: no")
    store.run(lambda connection: parked.park(connection, [told]))
    assert refused()
