"""What the store promises of its books: counts, cursors and the trail of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headwater.contracts.store.attempts import THREADS, Promise, adding_to, at_once
from headwater.spec.outcome import Count, Step
from headwater.store import Store, audit, ledger, parked, redriving

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

OF_BOOKS: Final[list[Promise]] = []
_promise = adding_to(OF_BOOKS)


@_promise
def counts_at_the_same_time_add_up(store: Store) -> None:
    """The books are added to by several processes."""
    count = [Count("s", "", 1, Step.RECEIVED, "", 2), Count("s", "d", 1, Step.MATCHED, "", 1)]
    at_once(lambda: store.run(lambda connection: ledger.add(connection, count)), THREADS * 4)
    sums = {one.step: one.events for one in store.run(ledger.totals)}
    assert sums == {"received": THREADS * 8, "matched": THREADS * 4}


@_promise
def of_those_who_derive_the_same_one_goes_on(store: Store) -> None:
    """A cursor moves once from where it stood, whoever asks, also from the very beginning."""
    for start in (0, 10):

        def move(start: int = start) -> bool:
            return store.run(lambda connection: ledger.advance(connection, "x", 0, start, start + 10))

        assert sum(at_once(move, THREADS)) == 1
    assert store.run(lambda connection: ledger.cursor(connection, "x", 0)) == 20


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


@_promise
def a_delivery_of_any_text_is_parked_and_found(store: Store) -> None:
    """Whatever a sender may write: NUL, characters beyond the sixteenth bit, a long name."""
    for position, message_id in enumerate(("a\0b", "\U0001f300" * 100, "\x7f' \\ \ufffe%s :x")):
        row = parked.ParkedDelivery(
            id=parked.delivery_id("d", 0, position),
            destination_id="d",
            source_id="s",
            partition=0,
            position=position,
            message_id=message_id,
            event_type="track",
            event_name=message_id * 20,
            received_at=1,
            payload=b"\0",
            state="waiting",
            reason="RETRY",
            counted_at=1,
            parked_reason="RETRY",
            detail=message_id,
            attempts=1,
            notes=[{"said": message_id, "lone": "\ud800"}],
            parked_at=1,
            due_at=1,
            expires_at=2,
        )
        assert store.run(lambda connection, row=row: parked.park(connection, [row])) == 1
        chosen = redriving.Filter(message_id=message_id)
        (found,) = store.run(lambda connection, chosen=chosen: redriving.find(connection, chosen))
        assert found.id == row.id
        assert found.notes == row.notes
        assert found.message_id.replace("\0", "\ufffd") == message_id.replace("\0", "\ufffd")
