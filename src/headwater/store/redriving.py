"""Looking at parked deliveries, and having failed ones tried again: what an operator does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.spec.outcome import Step
from headwater.store import ledger
from headwater.store.parked import SETTLED, STEPS, ParkedDelivery, counted
from headwater.store.schema import parked

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PAGE = 500


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are meant; what is empty does not narrow. `since` and `until` bound `parked_at`, in ms, and
    `ended_until` those that have ended.
    """

    destination_id: str = ""
    subscription_id: str = ""
    replay_id: str = ""
    state: str = ""
    reason: str = ""
    message_id: str = ""
    ids: tuple[str, ...] = ()
    since: int = 0
    until: int = 0
    ended_until: int = 0


def redrive(
    connection: Connection, chosen: Filter, *, now: int, horizon_ms: int, dry_run: bool = False, limit: int = 0
) -> int:
    """Have failed deliveries tried again from now on, with a new horizon. Returns how many; a dry run only counts.

    Their attempts stay. `limit` 0 is without limit: whoever cannot know how many there are goes page by page.
    """
    if dry_run:
        failed = msgspec.structs.replace(chosen, state="failed")
        return int(connection.execute(sa.select(sa.func.count()).where(*_where(failed))).scalar() or 0)
    moved = 0
    after: Place | None = (-1, "")
    while after is not None and (not limit or moved < limit):
        page = min(_PAGE, limit - moved) if limit else _PAGE
        more, after = redrive_page(connection, chosen, now=now, horizon_ms=horizon_ms, after=after, limit=page)
        moved += more
    return moved


Place = tuple[int, str]
"""Where a page of failed deliveries ended: when the last of them was due, and its id."""


def redrive_page(
    connection: Connection, chosen: Filter, *, now: int, horizon_ms: int, after: Place, limit: int
) -> tuple[int, Place | None]:
    """Redrive some of those after a place, as `redrive` does. Returns how many, and the next place if there is one.

    Who walks on so while deliveries fail again bounds `ended_until`, or meets those again.
    """
    due_at, last = after
    later = sa.or_(parked.c.due_at > due_at, sa.and_(parked.c.due_at == due_at, parked.c.id > last))
    failed = msgspec.structs.replace(chosen, state="failed")
    query = sa.select(*SETTLED).where(*_where(failed), parked.c.due_at >= due_at, later)
    query = query.order_by(parked.c.due_at, parked.c.id).limit(limit).with_for_update()
    rows = connection.execute(query).mappings().all()
    if not rows:
        return 0, None
    again = {"state": "waiting", "reason": "RETRY", "counted_at": now, "due_at": now, "ended_at": None}
    ids = [row["id"] for row in rows]
    connection.execute(parked.update().where(parked.c.id.in_(ids)).values(**again, expires_at=now + horizon_ms))
    moves = [counted(row, Step.PENDING, "RETRY", now, 1) for row in rows]
    moves += [counted(row, STEPS[row["state"]], row["reason"], row["counted_at"], -1) for row in rows]
    ledger.add(connection, moves)
    return len(rows), (rows[-1]["due_at"], rows[-1]["id"]) if len(rows) == limit else None


def counts(connection: Connection, chosen: Filter = Filter()) -> list[tuple[str, str, str, int]]:  # noqa: B008
    """How many deliveries stand where: (destination id, state, reason, deliveries)."""
    key = (parked.c.destination_id, parked.c.state, parked.c.reason)
    query = sa.select(*key, sa.func.count()).where(*_where(chosen)).group_by(*key).order_by(*key)
    return [(row[0], row[1], row[2], int(row[3])) for row in connection.execute(query)]


def find(
    connection: Connection, chosen: Filter, *, limit: int = 50, after: tuple[int, str] | None = None
) -> list[ParkedDelivery]:
    """Deliveries, newest parked first. `after` is the `(parked_at, id)` of the last one of the page before."""
    query = sa.select(parked).where(*_where(chosen))
    if after is not None:
        at, last = after
        earlier = sa.or_(parked.c.parked_at < at, sa.and_(parked.c.parked_at == at, parked.c.id < last))
        query = query.where(earlier)
    query = query.order_by(parked.c.parked_at.desc(), parked.c.id.desc()).limit(limit)
    return [ParkedDelivery(**row) for row in connection.execute(query).mappings()]


def _where(chosen: Filter) -> list[sa.ColumnElement[bool]]:
    texts = ("destination_id", "state", "reason", "message_id", "subscription_id", "replay_id")
    where = [parked.c[name] == value for name in texts if (value := getattr(chosen, name))]
    if chosen.replay_id:
        where.append(parked.c.replay_id != "")  # as the index on replays has it
    if chosen.ids:
        where.append(parked.c.id.in_(chosen.ids))
    if chosen.since:
        where.append(parked.c.parked_at >= chosen.since)
    if chosen.until:
        where.append(parked.c.parked_at < chosen.until)
    if chosen.ended_until:
        where.append(parked.c.ended_at <= chosen.ended_until)
    return where or [sa.true()]
