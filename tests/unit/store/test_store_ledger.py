"""The books: counts added up, once, by minute, source, destination, step and reason."""

from __future__ import annotations

from headwater.spec.outcome import Count, Step
from headwater.store import Store, ledger


def test_counts_add_up_over_batches(store: Store) -> None:
    for _ in range(2):
        store.run(
            lambda connection: ledger.add(
                connection,
                [
                    Count("s", "", 10, Step.PROCESSED, "", 3),
                    Count("s", "", 10, Step.PROCESSED, "", 1),
                    Count("s", "", 11, Step.PROCESSED, "", 5),
                    Count("s", "d", 10, Step.FAILED_DELIVERY, "REJECTED", 2),
                ],
            )
        )
    found = store.run(ledger.totals)
    assert sorted(found, key=lambda count: count.step) == [
        Count("s", "d", 0, "failed_delivery", "REJECTED", 4),
        Count("s", "", 0, "processed", "", 18),
    ]


def test_what_was_pending_and_is_delivered_is_taken_away_again(store: Store) -> None:
    store.run(lambda connection: ledger.add(connection, [Count("s", "d", 10, Step.PENDING, "RETRY", 3)]))
    store.run(
        lambda connection: ledger.add(
            connection, [Count("s", "d", 10, Step.PENDING, "RETRY", -3), Count("s", "d", 10, Step.DELIVERED, "", 3)]
        )
    )
    assert store.run(ledger.totals) == [Count("s", "d", 0, "delivered", "", 3)]


def test_counts_that_cancel_out_leave_no_row(store: Store) -> None:
    counts = [Count("s", "d", 10, Step.PENDING, "RETRY", 3), Count("s", "d", 10, Step.PENDING, "RETRY", -3)]
    store.run(lambda connection: ledger.add(connection, counts))
    store.run(lambda connection: ledger.add(connection, []))
    assert store.run(ledger.totals) == []


def test_totals_are_of_a_span_a_source_and_a_destination(store: Store) -> None:
    counts = [
        Count(source, to, minute, Step.DELIVERED, "", 1) for source in "ab" for to in "de" for minute in (1, 2, 3)
    ]
    store.run(lambda connection: ledger.add(connection, counts))

    def total(**span: object) -> int:
        found = store.run(lambda connection: ledger.totals(connection, **span))  # type: ignore[arg-type]
        return sum(count.events for count in found)

    assert total() == 12
    assert total(since_minute=2) == 8
    assert total(since_minute=2, until_minute=3) == 4
    assert total(source_id="a") == 6
    assert total(source_id="a", destination_id="d", since_minute=1, until_minute=2) == 1
    assert total(destination_id="x") == 0


def test_large_numbers_are_counted_exactly(store: Store) -> None:
    big = 2**53 + 1
    for _ in range(2):
        store.run(lambda connection: ledger.add(connection, [Count("s", "", 1, Step.PROCESSED, "", big)]))
    assert [count.events for count in store.run(ledger.totals)] == [2 * big]


def test_a_cursor_moves_with_what_is_derived(store: Store) -> None:
    assert store.run(lambda connection: ledger.cursor(connection, "ledger", 0)) == 0
    for position in (7, 9):
        store.run(lambda connection, position=position: ledger.set_cursor(connection, "ledger", 0, position))
    store.run(lambda connection: ledger.set_cursor(connection, "ledger", 1, 3))
    assert store.run(lambda connection: ledger.cursor(connection, "ledger", 0)) == 9
    assert store.run(lambda connection: ledger.cursor(connection, "ledger", 1)) == 3
    assert store.run(lambda connection: ledger.cursor(connection, "other", 0)) == 0
