"""The balance of the books, and how the accounts show it."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.eventlog import Record
from headwater.manage.ledger import Balance, gather
from headwater.manage.operations.ledger import accounts_of
from headwater.spec.outcome import AttemptNote, Count, OutcomeBatch, SetAside, Step, encode_outcomes

AT_SOURCE = (Step.FAILED_ON_INGEST, Step.DUPLICATE, Step.FILTERED_AT_SOURCE, Step.PROCESSED)
AT_DESTINATION = (Step.FILTERED_AT_DESTINATION, Step.DELIVERED, Step.FAILED_DELIVERY, Step.PENDING)


@given(st.lists(st.tuples(st.sampled_from(("", "d1", "d2")), st.integers(0, 3), st.integers(1, 9)), max_size=30))
def test_books_in_which_every_event_has_one_outcome_balance(events: list[tuple[str, int, int]]) -> None:
    counts: list[Count] = []
    for destination, fate, number in events:
        fates = AT_DESTINATION if destination else AT_SOURCE
        counts.append(Count("s", destination, 1, Step.MATCHED if destination else Step.RECEIVED, "", number))
        counts.append(Count("s", destination, 2, fates[fate], "because", number))
    assert Balance(counts).events() == 0
    assert all(account.balanced for account in accounts_of(counts))


def test_an_event_without_an_outcome_shows_and_does_not_hide_behind_another_with_two() -> None:
    counts = [
        Count("s", "", 1, Step.RECEIVED, "", 1),
        Count("t", "", 1, Step.PROCESSED, "", 1),
    ]
    assert Balance(counts).events() == 2
    assert [(account.source_id, account.open) for account in accounts_of(counts)] == [("s", 1), ("t", -1)]


def test_moving_a_parked_delivery_from_pending_to_delivered_keeps_the_balance() -> None:
    balance = Balance([Count("s", "d", 1, Step.MATCHED, "", 1), Count("s", "d", 1, Step.PENDING, "RETRY", 1)])
    balance.add([Count("s", "d", 1, Step.PENDING, "RETRY", -1), Count("s", "d", 9, Step.DELIVERED, "", 1)])
    assert balance.events() == 0


def test_counts_are_read_without_what_stands_beside_them() -> None:
    count = Count("s", "", 1, Step.RECEIVED, "", 3)
    batch = OutcomeBatch(
        "pipeline",
        0,
        0,
        0,
        1,
        [count],
        [SetAside(0, Step.FAILED_ON_INGEST, "bad_request", payload=b"x")],
        [AttemptNote("d", [0], 1, 1, Step.DELIVERED)],
    )
    assert gather([Record(b"", b"", encode_outcomes(batch))] * 2).counts == [count, count]


def test_accounts_say_what_their_reasons_mean() -> None:
    counts = [Count("s", "", 1, Step.RECEIVED, "", 2), Count("s", "", 1, Step.DUPLICATE, "duplicate", 2)]
    (account,) = accounts_of(counts)
    assert account.steps == {"received": 2, "duplicate": 2}
    assert account.reasons[0].meaning.startswith("The messageId was seen")
