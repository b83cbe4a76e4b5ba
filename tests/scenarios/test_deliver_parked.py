"""Parked deliveries in the store, on SQLite and on PostgreSQL: every move keeps the books."""

import uuid
from collections import Counter
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.spec.outcome import Count, Step
from headwater.spec.replay import Wanted
from headwater.store import Store, backlogs, ledger, parked, redriving, replays, schema
from headwater.store.parked import Change, ParkedDelivery, delivery_id
from headwater.store.redriving import Filter

MINUTE = 60_000
START = 28_000_000 * MINUTE


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str | None]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url and url.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, postgres: str | None) -> Generator[Store]:
    if request.param == "sqlite":
        found = Store.in_folder(tmp_path)
    elif postgres is None:
        pytest.skip(WHY_NOT)
    else:
        name = f"store_{uuid.uuid4().hex}"
        engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        found = Store(postgres.rpartition("/")[0] + f"/{name}")
    found.migrate()
    yield found
    found.close()


def row(
    position: int, *, destination: str = "d1", state: Any = "waiting", reason: str = "OVERFLOW", at: int = START
) -> Any:
    return ParkedDelivery(
        id=delivery_id(destination, 0, position),
        destination_id=destination,
        source_id="s1",
        partition=0,
        position=position,
        message_id=f"m{position}",
        event_type="track",
        event_name="A",
        received_at=at,
        payload=b"{}",
        state=state,
        reason=reason,
        counted_at=at,
        parked_reason="RETRY" if state == "failed" else reason,
        detail="",
        attempts=0,
        notes=[],
        parked_at=at,
        due_at=at,
        expires_at=at + 3_600_000,
        ended_at=at if state == "failed" else None,
    )


def ended(one: ParkedDelivery, state: Any, reason: str = "", *, at: int, **more: Any) -> Change:
    return Change(id=one.id, state=state, reason=reason, at=at, attempt={"attempt": 1}, **more)


def cells(store: Store) -> dict[tuple[str, str], int]:
    """What the store itself moved, by step and reason; the chunk's own count comes on top."""
    sums: Counter[tuple[str, str]] = Counter()
    for count in store.run(ledger.totals):
        sums[count.step, count.reason] += count.events
    return {key: events for key, events in sums.items() if events}


def test_a_row_is_inserted_once_however_often(store: Store) -> None:
    rows = [row(number) for number in range(1_200)]
    assert store.run(partial(parked.park, deliveries=rows)) == 1_200
    assert store.run(partial(parked.park, deliveries=[*rows, row(1_200)])) == 1
    assert cells(store) == {}


def test_a_row_that_begins_as_failed_is_moved_once(store: Store) -> None:
    failed = row(1, state="failed", reason="BAD_REQUEST")
    for _ in range(3):
        store.run(partial(parked.park, deliveries=[failed]))
    assert cells(store) == {("pending", "RETRY"): -1, ("failed_delivery", "BAD_REQUEST"): 1}


def test_an_end_is_counted_once_in_its_own_minute(store: Store) -> None:
    one = row(1)
    store.run(partial(parked.park, deliveries=[one]))
    change = ended(one, "delivered", at=START + 5 * MINUTE)
    assert [store.run(partial(parked.settle, changes=[change])) for _ in range(2)] == [1, 0]
    minute = START // MINUTE
    assert [c.events for c in store.run(partial(ledger.totals, until_minute=minute + 1))] == [-1]
    assert [c.events for c in store.run(partial(ledger.totals, since_minute=minute + 5))] == [1]
    assert store.run(partial(parked.settle, changes=[ended(one, "failed", "EXPIRED", at=START)])) == 0


def test_putting_off_moves_the_reason_and_ends_the_claim(store: Store) -> None:
    one = row(1)
    store.run(partial(parked.park, deliveries=[one]))
    later = ended(one, "waiting", "TIMEOUT", at=START + MINUTE, due_at=START + 7 * MINUTE, detail="slow")
    store.run(partial(parked.settle, changes=[later]))
    assert cells(store) == {("pending", "OVERFLOW"): -1, ("pending", "TIMEOUT"): 1}
    found = store.run(partial(redriving.find, chosen=Filter()))[0]
    assert (found.reason, found.detail, found.attempts, found.due_at) == ("TIMEOUT", "slow", 1, START + 7 * MINUTE)
    store.run(partial(parked.settle, changes=[ended(one, "delivered", at=START)]))
    assert cells(store) == {("pending", "OVERFLOW"): -1, ("delivered", ""): 1}


def test_claims_go_to_one_and_come_back_when_the_lease_ends(store: Store) -> None:
    rows = [row(number) for number in range(5)] + [row(9, destination="d2")]
    store.run(partial(parked.park, deliveries=rows))
    claim = partial(parked.claim, limits={"d1": 3, "d2": 3, "d3": 3}, lease_ms=MINUTE)
    sizes = [
        {key: len(found) for key, found in store.run(partial(claim, now=now)).items()}
        for now in (START - 1, START, START, START + MINUTE - 1, START + MINUTE)
    ]
    assert sizes == [{}, {"d1": 3, "d2": 1}, {"d1": 2}, {}, {"d1": 3, "d2": 1}]


def test_what_is_released_is_due_again(store: Store) -> None:
    store.run(partial(parked.park, deliveries=[row(1)]))
    claim = partial(parked.claim, limits={"d1": 1}, now=START, lease_ms=MINUTE)
    ids = [each.id for each in store.run(claim)["d1"]]
    assert store.run(claim) == {}
    store.run(partial(parked.release, ids=ids, due_at=START))
    assert len(store.run(claim)["d1"]) == 1


def test_what_is_put_off_for_long_is_made_due_page_by_page_and_claims_are_left_alone(store: Store) -> None:
    late, soon = START + 9 * MINUTE, START + 2 * MINUTE
    rows = [row(number, at=late) for number in range(5)] + [row(5), row(6, at=soon), row(7, destination="d2", at=late)]
    store.run(partial(parked.park, deliveries=rows))
    claim = partial(parked.claim, limits={"d1": 9}, lease_ms=2 * MINUTE)
    assert [each.position for each in store.run(partial(claim, now=START))["d1"]] == [5]
    hasten = partial(parked.hasten, destination_id="d1", beyond=soon, now=START + 1, limit=3)
    assert [store.run(hasten) for _ in range(3)] == [3, 2, 0]
    assert {each.position for each in store.run(partial(claim, now=START + 1))["d1"]} == {0, 1, 2, 3, 4}
    assert store.run(backlogs.first_due)["d2"] == late


def test_backlogs_are_found_by_destination(store: Store) -> None:
    rows = [row(number, destination=f"d{number % 3}", at=START + number) for number in range(30)]
    store.run(partial(parked.park, deliveries=[*rows, row(99, destination="d9", state="failed", reason="EXPIRED")]))
    assert store.run(backlogs.first_due) == {"d0": START, "d1": START + 1, "d2": START + 2}
    assert store.run(backlogs.sizes) == {"d0": 10, "d1": 10, "d2": 10}


def test_no_backlog_is_no_trouble(store: Store) -> None:
    assert store.run(backlogs.first_due) == {}


def test_failing_all_that_waits_goes_page_by_page_and_keeps_the_last_error(store: Store) -> None:
    store.run(partial(parked.park, deliveries=[row(number, reason="RETRY") for number in range(600)]))
    fail = partial(parked.fail_waiting, destination_id="d1", reason="EXPIRED", now=START + 2 * 3_600_000, expired=True)
    assert [store.run(fail) for _ in range(3)] == [500, 100, 0]
    assert cells(store) == {("pending", "RETRY"): -600, ("failed_delivery", "EXPIRED"): 600}
    assert store.run(partial(redriving.find, chosen=Filter(), limit=1))[0].detail == "RETRY"


def test_the_horizon_of_what_is_paused_does_not_run(store: Store) -> None:
    store.run(partial(parked.park, deliveries=[row(1, reason="PAUSED"), row(2, reason="RETRY")]))
    fail = partial(parked.fail_waiting, destination_id="d1", reason="EXPIRED", now=START * 2, expired=True)
    expired = partial(backlogs.expired, destination_ids=["d1", "d2"], now=START * 2)
    assert store.run(expired) == ["d1"]
    assert store.run(fail) == 1
    assert store.run(expired) == []


def test_redriving_moves_the_count_from_where_it_stood(store: Store) -> None:
    rows = [row(number, state="failed", reason="BAD_REQUEST") for number in range(700)]
    rows += [row(1_000, state="failed", reason="NOT_FOUND"), row(1_001)]
    store.run(partial(parked.park, deliveries=rows))
    redrive = partial(
        redriving.redrive, chosen=Filter(destination_id="d1", reason="BAD_REQUEST"), now=START * 2, horizon_ms=MINUTE
    )
    assert store.run(partial(redrive, dry_run=True)) == 700
    assert store.run(partial(redrive, limit=600)) == 600
    assert [store.run(redrive), store.run(redrive)] == [100, 0]
    assert cells(store) == {("pending", "RETRY"): -1, ("failed_delivery", "NOT_FOUND"): 1}
    assert store.run(redriving.counts) == [
        ("d1", "failed", "NOT_FOUND", 1),
        ("d1", "waiting", "OVERFLOW", 1),
        ("d1", "waiting", "RETRY", 700),
    ]
    again = store.run(partial(redriving.find, chosen=Filter(reason="RETRY"), limit=1))[0]
    assert (again.due_at, again.expires_at, again.ended_at) == (START * 2, START * 2 + MINUTE, None)
    assert again.parked_at == START


def test_redriving_page_by_page_ends_though_deliveries_fail_again_meanwhile(store: Store) -> None:
    rows = [row(number, state="failed", reason="BAD_REQUEST" if number % 2 else "EXPIRED") for number in range(100)]
    store.run(partial(parked.park, deliveries=rows))
    now = START + MINUTE
    chosen = Filter(destination_id="d1", reason="BAD_REQUEST", ended_until=now)
    page = partial(redriving.redrive_page, chosen=chosen, now=now, horizon_ms=MINUTE, limit=20)
    moved, after = store.run(partial(page, after=(-1, "")))
    again = store.run(lambda connection: redriving.find(connection, Filter(state="waiting")))
    store.run(partial(parked.settle, changes=[ended(one, "failed", "BAD_REQUEST", at=now + 5) for one in again]))
    pages = [moved]
    while after is not None:
        more, after = store.run(partial(page, after=after))
        pages.append(more)
    assert pages == [20, 20, 10]
    assert cells(store)["failed_delivery", "BAD_REQUEST"] == 20


def test_a_delivery_fails_and_is_redriven_and_fails_and_the_books_still_balance(store: Store) -> None:
    one = row(1)
    store.run(partial(parked.park, deliveries=[one]))
    for number in range(1, 4):
        store.run(partial(parked.settle, changes=[ended(one, "failed", "REJECTED", at=START + number * MINUTE)]))
        store.run(partial(redriving.redrive, chosen=Filter(), now=START + number * 2 * MINUTE, horizon_ms=MINUTE))
    store.run(partial(parked.settle, changes=[ended(one, "delivered", at=START + 9 * MINUTE)]))
    assert cells(store) == {("pending", "OVERFLOW"): -1, ("delivered", ""): 1}
    assert store.run(partial(redriving.find, chosen=Filter()))[0].attempts == 4


def test_the_first_and_the_newest_attempts_are_kept(store: Store) -> None:
    one = row(1)
    store.run(partial(parked.park, deliveries=[one]))
    for number in range(1, 31):
        change = Change(id=one.id, state="waiting", reason="RETRY", at=START, attempt={"attempt": number})
        store.run(partial(parked.settle, changes=[change]))
    found = store.run(partial(redriving.find, chosen=Filter()))[0]
    assert [note["attempt"] for note in found.notes] == [1, *range(12, 31)]
    assert found.attempts == 30


def test_pages_of_deliveries_follow_each_other(store: Store) -> None:
    rows = [row(number, at=START + number // 3) for number in range(25)]
    store.run(partial(parked.park, deliveries=rows))
    seen: list[str] = []
    after: tuple[int, str] | None = None
    while page := store.run(partial(redriving.find, chosen=Filter(state="waiting"), limit=4, after=after)):
        seen += [each.id for each in page]
        after = (page[-1].parked_at, page[-1].id)
    assert len(seen) == len(set(seen)) == 25
    assert len(store.run(partial(redriving.find, chosen=Filter(since=START + 2, until=START + 4)))) == 6
    assert [each.position for each in store.run(partial(redriving.find, chosen=Filter(message_id="m7")))] == [7]


def test_purging_spares_what_waits_is_young_or_is_not_yet_committed(store: Store) -> None:
    rows = [row(number, state="failed", reason="EXPIRED", at=START + number) for number in range(6)] + [row(6)]
    store.run(partial(parked.park, deliveries=rows))
    purge = partial(parked.purge, ended_before=START + 4, committed={0: 3})
    assert [store.run(purge), store.run(purge)] == [3, 0]
    assert sorted(each.position for each in store.run(partial(backlogs.known, partition=0, position=0))) == [3, 4, 5, 6]


def test_a_step_of_a_replay_moves_only_from_where_it_was_read(store: Store) -> None:
    wanted = Wanted(source_id="s1", since_ms=0, until_ms=START)
    make = partial(
        replays.create, name="R", wanted=wanted, destination_ids=["d1"], created_by="", per_second=5, at=START
    )
    made = store.run(make)
    here: dict[str, Any] = {"replay_id": made.id, "reason": "REPLAY", "parked_reason": "REPLAY"}
    sent = [msgspec.structs.replace(row(number), id=f"r{number}", **here) for number in range(3)]
    kept = [
        Count("s1", "d1", START // MINUTE, step, reason, 2)
        for step, reason in ((Step.MATCHED, "REPLAY"), (Step.FILTERED_AT_DESTINATION, "FILTERED_BY_RULES"))
    ]
    step = replays.Stride(before={}, place={"0": 5}, read=5, rows=sent, kept=kept, at=START)
    advance = partial(replays.advance, replay_id=made.id, stride=step)
    assert not store.run(advance), "it does not run yet"
    store.run(partial(replays.change_state, replay_id=made.id, state="running", at=START, only=("waiting",)))
    assert [store.run(advance), store.run(advance)] == [True, False]
    found = store.run(partial(replays.find, replay_id=made.id))
    assert (found.read, found.sent, found.filtered, found.place) == (5, 3, 2, {"0": 5})
    assert cells(store) == {
        ("matched", "REPLAY"): 5,
        ("pending", "REPLAY"): 3,
        ("filtered_at_destination", "FILTERED_BY_RULES"): 2,
    }
    assert store.run(partial(replays.waiting, destination_ids=["d1", "d2"], most=2)) == 2
    assert store.run(partial(replays.outcomes, replay_id=made.id)) == [("d1", "waiting", "REPLAY", 3)]

    store.run(partial(parked.settle, changes=[ended(sent[0], "delivered", at=START)]))
    assert not store.run(lambda connection: connection.execute(schema.ages.select()).all()), "it is as old as it is"
    store.run(partial(replays.change_state, replay_id=made.id, state="cancelled", at=START, only=replays.OPEN))
    drop = partial(replays.drop_waiting, replay_id=made.id, at=START, limit=2)
    assert [store.run(drop), store.run(drop)] == [2, 0]
    assert store.run(partial(replays.find, replay_id=made.id)).ended_at == START
    assert store.run(replays.unfinished) == []
    assert cells(store)["failed_delivery", "REPLAY_CANCELLED"] == 2
