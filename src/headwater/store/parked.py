"""Parked deliveries: those that failed, or that their destination was too slow for.

A row always stands in exactly one count of the ledger: its state (as a step), its reason, and the minute of
`counted_at`. Every change moves it, one less there and one more here, in the transaction that changes the row. The
count that a row *starts* from is pending, `parked_reason`, in the minute of `parked_at`; that one is not added here but
by whoever parks, in the outcomes of the chunk of the log that the event came in. So a row that is inserted as failed at
once is moved from pending to failed here, and the chunk counts it as pending all the same.

A delivery that ends as delivered also counts in `ages`, there and then: how old it is was not known to its chunk. Those
of replays do not: how old they are says nothing of how long they took.

Everything is safe to repeat: a row is inserted once for a destination, partition, position, subscription and replay,
and only a row that still waits can end or be put off. When its claim is over, a row is whoever's claims it next: what
the one before still has to say of it counts only if that is that it was delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.ages import Ages, bucket_of
from headwater.spec.outcome import Count, Step
from headwater.store import ages, ledger
from headwater.store.rows import pages
from headwater.store.schema import parked

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

State = Literal["waiting", "delivered", "failed"]
STEPS: dict[str, Step] = {"waiting": Step.PENDING, "delivered": Step.DELIVERED, "failed": Step.FAILED_DELIVERY}
KEPT_NOTES = 20
"""Of a delivery's attempts the first and the newest are kept, so many in all."""

_PAGE = 500
SETTLED = [column for column in parked.c if column.name != "payload"]


class ParkedDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row. Moments are in milliseconds since 1970; `notes` are attempts as spec.outcome.AttemptNote has them."""

    id: str
    destination_id: str
    source_id: str
    partition: int
    position: int
    message_id: str
    event_type: str
    event_name: str
    received_at: int
    payload: bytes
    state: State
    reason: str
    counted_at: int
    parked_reason: str
    detail: str
    attempts: int
    notes: list[dict[str, Any]]
    parked_at: int
    due_at: int
    expires_at: int
    ended_at: int | None = None
    subscription_id: str = ""
    replay_id: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What becomes of a waiting delivery at the instant `at`.

    State `waiting` puts it off until `due_at`; the others end it. `attempt` is the attempt that led to it, if one did.
    `expires_at` moves the horizon, unless 0. `claimed` is the row's `due_at` as its claim has it; 0 is without a claim.
    """

    id: str
    state: State
    reason: str
    at: int
    detail: str = ""
    due_at: int = 0
    expires_at: int = 0
    attempt: dict[str, Any] | None = None
    claimed: int = 0


def delivery_id(
    destination_id: str, partition: int, position: int, *, subscription_id: str = "", replay_id: str = ""
) -> str:
    """The id of the row for a delivery; the same whenever the same event is parked again for the same purpose."""
    named = [destination_id, str(partition), str(position), subscription_id, replay_id]
    return ".".join(named if replay_id else named[:4] if subscription_id else named[:3])


def park(connection: Connection, deliveries: Sequence[ParkedDelivery]) -> int:
    """Insert rows, leaving those alone that are there already. Returns how many were new."""
    insert = _inserting(connection.dialect.name)
    new = 0
    for page in pages([each for each in deliveries if each.state == "waiting"]):
        rows = [msgspec.structs.asdict(each) for each in page]
        new += connection.execute(insert, rows, execution_options={"preserve_rowcount": True}).rowcount
    moves: list[Count] = []
    newest: dict[tuple[str, str, str], tuple[int, str]] = {}
    for page in pages([each for each in deliveries if each.state != "waiting"]):
        telling = _inserting(connection.dialect.name, telling=True)
        found = connection.execute(telling, [msgspec.structs.asdict(each) for each in page])
        ids = set(found.scalars())
        new += len(ids)
        for each in page:
            if each.id in ids:
                moves += _move(each, (Step.PENDING, each.parked_reason, each.parked_at))
                _note(newest, (each.source_id, each.destination_id, STEPS[each.state]), each.counted_at, each.reason)
    ledger.add(connection, moves, newest)
    return new


def replay(connection: Connection, deliveries: Sequence[ParkedDelivery]) -> int:
    """Insert the deliveries of a replay, which wait. Returns how many were new.

    No chunk of the log counts these, so that they are counted here: as matched and as pending.
    """
    insert = _inserting(connection.dialect.name, telling=True)
    new: set[str] = set()
    for page in pages(deliveries):
        found = connection.execute(insert, [msgspec.structs.asdict(each) for each in page])
        new.update(found.scalars())
    fresh = [each for each in deliveries if each.id in new]
    matched = [counted(each, Step.MATCHED, each.parked_reason, each.parked_at, 1) for each in fresh]
    ledger.add(connection, matched + [counted(each, Step.PENDING, each.reason, each.counted_at, 1) for each in fresh])
    return len(new)


def settle(connection: Connection, changes: Sequence[Change]) -> int:
    """End deliveries or put them off, as far as they still wait and are claimed so. Returns how many did."""
    settled = 0
    moves: list[Count] = []
    newest: dict[tuple[str, str, str], tuple[int, str]] = {}
    delivered: list[Ages] = []
    for page in pages(changes):
        wanted = {change.id: change for change in page}
        rows = connection.execute(_SETTLING, {"ids": list(wanted)}).mappings().all()
        pairs = [(row, change) for row in rows if _may(change := wanted[row["id"]], row)]
        if pairs:
            _update(connection, pairs)
        for row, change in pairs:
            key = (row["source_id"], row["destination_id"])
            moves += _moved(row, change)
            _note(newest, (*key, STEPS[change.state]), change.at, change.reason)
            if change.state == "delivered" and not row["replay_id"]:
                delivered.append(Ages(*key, change.at // 60_000, {bucket_of(change.at - row["received_at"]): 1}))
        settled += len(pairs)
    ledger.add(connection, moves, newest)
    ages.add(connection, delivered)
    return settled


def _may(change: Change, row: RowMapping) -> bool:
    return not change.claimed or change.state == "delivered" or change.claimed == row["due_at"]


def _note(newest: dict[tuple[str, str, str], tuple[int, str]], key: tuple[str, str, str], at: int, reason: str) -> None:
    """Remember the newest at a step."""
    if at >= newest.get(key, (0, ""))[0]:
        newest[key] = (at, reason)


def release(connection: Connection, ids: Iterable[str], due_at: int, *, claimed: int = 0) -> None:
    """Give back deliveries that were claimed and not tried; they are due at that time.

    With `claimed`, the `due_at` that they were claimed with, only those that nobody has claimed since.
    """
    for page in pages(ids):
        if claimed:
            connection.execute(_RELEASING_CLAIMED, {"ids": page, "new_due_at": due_at, "claimed": claimed})
        else:
            connection.execute(_RELEASING, {"ids": page, "new_due_at": due_at})


def claim(
    connection: Connection, limits: Mapping[str, int], *, now: int, lease_ms: int, most: int = _PAGE
) -> dict[str, list[ParkedDelivery]]:
    """Take deliveries that are due, oldest due first, at most so many a destination, and `most` in all of the first.

    They are not due again before the lease ends, so that those of a process that died come back by themselves; their
    `due_at` says when that is, and so whose claim it is, as no two claims of a row end at the same moment.
    """
    found: dict[str, list[ParkedDelivery]] = {}
    left = most
    for destination_id, limit in limits.items():
        if left <= 0:
            break
        wanted = {"the_destination": destination_id, "now": now, "most": min(limit, left)}
        if rows := [_read(row) for row in connection.execute(_DUE, wanted).mappings()]:
            found[destination_id] = rows
            left -= len(rows)
    until = now + lease_ms
    release(connection, [row.id for rows in found.values() for row in rows], until)
    return {key: [msgspec.structs.replace(row, due_at=until) for row in rows] for key, rows in found.items()}


def hasten(connection: Connection, destination_id: str, *, beyond: int, now: int, limit: int = _PAGE) -> int:
    """Make some of a destination's deliveries due that would be later than an instant; call until it returns 0.

    A claim looks like a delivery that is put off until it ends, so `beyond` has to lie after the end of every claim.
    """
    late = (parked.c.state == "waiting", parked.c.destination_id == destination_id, parked.c.due_at > beyond)
    page = sa.select(parked.c.id).where(*late).limit(min(limit, _PAGE)).with_for_update(skip_locked=True)
    ids = list(connection.execute(page).scalars())
    release(connection, ids, now)
    return len(ids)


def fail_waiting(
    connection: Connection,
    destination_id: str,
    *,
    reason: str,
    now: int,
    detail: str = "",
    expired: bool = False,
    replayed: bool = True,
    limit: int = _PAGE,
) -> int:
    """Fail up to so many of a destination's waiting deliveries; call again until it returns 0.

    With `expired` only those beyond their horizon; paused ones have none that runs. Without `replayed`, those of
    replays are let be. Without a `detail` the last error is kept. What the events and attempts hold is not read, so
    that it costs little to give up many.
    """
    columns = (parked.c.id, parked.c.source_id, parked.c.subscription_id, parked.c.reason, parked.c.counted_at)
    query = sa.select(*columns).where(parked.c.state == "waiting", parked.c.destination_id == destination_id)
    if expired:
        query = query.where(parked.c.expires_at <= now, parked.c.reason != "PAUSED")
    if not replayed:
        query = query.where(parked.c.replay_id == "")
    rows = connection.execute(query.limit(min(limit, _PAGE)).with_for_update(skip_locked=True)).all()
    if not rows:
        return 0
    ended = {"state": "failed", "reason": reason, "counted_at": now, "ended_at": now, "detail": detail or _LAST_WORDS}
    connection.execute(parked.update().where(parked.c.id.in_([row.id for row in rows])).values(**ended))
    moves: list[Count] = []
    for row in rows:
        here = (row.source_id, destination_id)
        before = row.counted_at // 60_000
        moves.append(Count(*here, before, Step.PENDING, row.reason, -1, row.subscription_id))
        moves.append(Count(*here, now // 60_000, Step.FAILED_DELIVERY, reason, 1, row.subscription_id))
    newest = {(str(row.source_id), destination_id, str(Step.FAILED_DELIVERY)): (now, reason) for row in rows}
    ledger.add(connection, moves, newest)
    return len(rows)


def purge(connection: Connection, *, ended_before: int, committed: Mapping[int, int], limit: int = 5_000) -> int:
    """Forget deliveries that ended long ago, and whose chunk is committed: `committed` are deliver's cursors."""
    gone = 0
    for partition, position in committed.items():
        ended = (parked.c.ended_at < ended_before, parked.c.partition == partition, parked.c.position < position)
        ids = sa.select(parked.c.id).where(*ended).limit(limit)
        gone += connection.execute(parked.delete().where(parked.c.id.in_(ids))).rowcount
    return gone


_WAITS = parked.c.state.concat("") == "waiting"
"""Asked of rows that are found by their ids: spelled so that no index serves it. Otherwise SQLite, which does not know
how many rows wait, walks over all of them instead of looking up a few ids.
"""

_THESE = parked.c.id.in_(sa.bindparam("ids", expanding=True))
_SETTLING = sa.select(*SETTLED).where(_THESE, _WAITS).with_for_update()
_RELEASING = parked.update().where(_THESE, _WAITS).values(due_at=sa.bindparam("new_due_at"))
_RELEASING_CLAIMED = _RELEASING.where(parked.c.due_at == sa.bindparam("claimed"))
_DUE = (
    sa.select(parked)
    .where(
        parked.c.state == "waiting",
        parked.c.destination_id == sa.bindparam("the_destination"),
        parked.c.due_at <= sa.bindparam("now"),
    )
    .order_by(parked.c.due_at)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
"""These are made once: to put them together takes longer than to ask."""

_LAST_WORDS = sa.case(
    (parked.c.detail != "", parked.c.reason + sa.literal(": ") + parked.c.detail), else_=parked.c.reason
)


@cache
def _inserting(dialect: str, *, telling: bool = False) -> sa.Executable:
    """Inserts rows that are not there yet; `telling` which these were."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(parked).on_conflict_do_nothing()
    return insert.returning(parked.c.id) if telling else insert


_CHANGED = ("state", "reason", "counted_at", "detail", "due_at", "expires_at", "ended_at", "attempts", "notes")
_UPDATING = (
    parked.update()
    .where(parked.c.id == sa.bindparam("key"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGED})
)
_ENDING = _UPDATING.values(payload=b"")


def _update(connection: Connection, pairs: Sequence[tuple[RowMapping, Change]]) -> None:
    kept = [_values(row, change) for row, change in pairs if change.state != "delivered"]
    if kept:
        connection.execute(_UPDATING, kept)
    gone = [_values(row, change) for row, change in pairs if change.state == "delivered"]
    if gone:
        connection.execute(_ENDING, gone)


def _values(row: RowMapping, change: Change) -> dict[str, Any]:
    waits = change.state == "waiting"
    return {
        "key": row["id"],
        "new_state": change.state,
        "new_reason": change.reason,
        "new_counted_at": row["counted_at"] if waits else change.at,
        "new_detail": change.detail,
        "new_due_at": change.due_at if waits else row["due_at"],
        "new_expires_at": change.expires_at or row["expires_at"],
        "new_ended_at": None if waits else change.at,
        "new_attempts": row["attempts"] + (change.attempt is not None),
        "new_notes": _noted(row["notes"], change.attempt),
    }


def _moved(row: RowMapping, change: Change) -> list[Count]:
    at = row["counted_at"] if change.state == "waiting" else change.at
    left = counted(row, Step.PENDING, row["reason"], row["counted_at"], -1)
    return [left, counted(row, STEPS[change.state], change.reason, at, 1)]


def _move(delivery: ParkedDelivery, start: tuple[Step, str, int]) -> list[Count]:
    here = counted(delivery, STEPS[delivery.state], delivery.reason, delivery.counted_at, 1)
    return [counted(delivery, *start, -1), here]


def counted(row: RowMapping | ParkedDelivery, step: Step, reason: str, at: int, events: int) -> Count:
    """A change of the ledger by so many events at a step, in the minute of an instant (milliseconds)."""
    if isinstance(row, ParkedDelivery):
        return Count(row.source_id, row.destination_id, at // 60_000, step, reason, events, row.subscription_id)
    return Count(row["source_id"], row["destination_id"], at // 60_000, step, reason, events, row["subscription_id"])


def _noted(notes: list[dict[str, Any]], attempt: dict[str, Any] | None) -> list[dict[str, Any]]:
    if attempt is None:
        return notes
    return [*notes, attempt] if len(notes) < KEPT_NOTES else [notes[0], *notes[2 - KEPT_NOTES :], attempt]


def _read(row: RowMapping) -> ParkedDelivery:
    return ParkedDelivery(**row)
