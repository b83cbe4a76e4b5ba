"""Replays: what each wants, how far it has come, and the transaction that takes it further.

What a replay makes out, what it keeps back, its place in the archive and its counts move together or not at all. So it
goes on after a crash where it stood, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.spec.outcome import Count, Step
from headwater.spec.replay import State, Wanted
from headwater.spec.typed import converter
from headwater.store import ledger, parked
from headwater.store.parked import ParkedDelivery
from headwater.store.schema import parked as rows
from headwater.store.schema import replays
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

OPEN: Final = ("waiting", "running", "paused")
"""The states of replays that are not over."""

Place = dict[str, int]
"""The next position by partition, which is text as in every JSON object."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A row, as `store/schema` describes it. Moments are in milliseconds since 1970."""

    id: str
    name: str
    destination_ids: tuple[str, ...]
    wanted: Wanted
    per_second: int
    state: State
    detail: str
    found: int
    read: int
    sent: int
    filtered: int
    place: Place
    created_by: str
    created_at: int
    updated_at: int
    ended_at: int | None


class Stride(msgspec.Struct, frozen=True, kw_only=True):
    """A step further: from one place to another, with so many events read, what is sent of them and what is not."""

    before: Place
    place: Place
    read: int
    rows: Sequence[ParkedDelivery]
    kept: Sequence[Count]
    at: int


def create(
    connection: Connection,
    *,
    name: str,
    wanted: Wanted,
    destination_ids: Iterable[str],
    per_second: int,
    created_by: str,
    at: int,
) -> Replay:
    """Keep a new replay, which waits for its turn."""
    replay_id = "rpl_" + new_id()
    values: dict[str, Any] = {
        "id": replay_id,
        "name": name,
        "source_id": wanted.source_id,
        "destination_ids": list(destination_ids),
        "query": msgspec.to_builtins(wanted),
        "per_second": per_second,
        "state": "waiting",
        "detail": "",
        "found": -1,
        "read": 0,
        "sent": 0,
        "filtered": 0,
        "place": {},
        "created_by": created_by,
        "created_at": at,
        "updated_at": at,
        "ended_at": None,
    }
    connection.execute(replays.insert().values(**values))
    return find(connection, replay_id)


def find(connection: Connection, replay_id: str, *, hold: bool = False) -> Replay:
    """One replay; `hold` it against changes by others until the transaction ends. Raises SenderError 404."""
    query = sa.select(replays).where(replays.c.id == replay_id)
    row = connection.execute(query.with_for_update() if hold else query).mappings().first()
    if row is None:
        raise SenderError("There is no such replay.", code="not_found", status=404)
    return _read(row)


def list_replays(connection: Connection) -> list[Replay]:
    """All replays, newest first."""
    query = sa.select(replays).order_by(replays.c.created_at.desc(), replays.c.id.desc())
    return [_read(row) for row in connection.execute(query).mappings()]


def unfinished(connection: Connection) -> list[Replay]:
    """Those that need something done, oldest first: all that are open, and cancelled ones until nothing waits."""
    query = sa.select(replays).where(replays.c.ended_at.is_(None)).order_by(replays.c.created_at, replays.c.id)
    return [_read(row) for row in connection.execute(query).mappings()]


def change_state(
    connection: Connection, replay_id: str, state: State, *, at: int, only: Sequence[str], detail: str = ""
) -> Replay:
    """Move a replay on to another state. Raises SenderError 409 when it is in none of the states in `only`."""
    found = find(connection, replay_id, hold=True)
    if found.state not in only:
        message = f"The replay cannot be {_DONE.get(state, state)}: it is {found.state}."
        raise SenderError(message, code="conflict", status=409)
    ended = at if state in ("ended", "failed") else None
    values: dict[str, Any] = {"state": state, "detail": detail, "updated_at": at, "ended_at": ended}
    if state == "ended":
        values["found"] = found.read
    connection.execute(replays.update().where(replays.c.id == replay_id).values(**values))
    return find(connection, replay_id)


_DONE: Final = {"paused": "paused", "waiting": "resumed", "cancelled": "cancelled"}


def note(connection: Connection, replay_id: str, **columns: Any) -> None:
    """Set `found` or `detail`."""
    connection.execute(replays.update().where(replays.c.id == replay_id).values(**columns))


def advance(connection: Connection, replay_id: str, stride: Stride) -> bool:
    """Go a step further. Returns False, having done nothing, when it does not run or stands elsewhere by now."""
    replay = find(connection, replay_id, hold=True)
    if replay.state != "running" or replay.place != stride.before:
        return False
    sent = parked.replay(connection, stride.rows)
    kept = [each for each in stride.kept if each.step == Step.FILTERED_AT_DESTINATION]
    newest = {(each.source_id, each.destination_id, str(each.step)): (stride.at, each.reason) for each in kept}
    ledger.add(connection, stride.kept, newest)
    values = {
        "read": replay.read + stride.read,
        "sent": replay.sent + sent,
        "filtered": replay.filtered + sum(each.events for each in kept),
        "place": stride.place,
        "updated_at": stride.at,
        "detail": "",
    }
    connection.execute(replays.update().where(replays.c.id == replay_id).values(**values))
    return True


def waiting(connection: Connection, destination_ids: Sequence[str], most: int) -> int:
    """How many deliveries wait for destinations, counted no further than `most`."""
    chosen = (rows.c.state == "waiting", rows.c.destination_id.in_(destination_ids))
    few = sa.select(sa.literal(1)).where(*chosen).limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(few)).scalar() or 0)


def drop_waiting(connection: Connection, replay_id: str, *, at: int, limit: int) -> int:
    """Fail some of what waits of a cancelled replay. Returns how many; when nothing waits any more it is closed.

    What is on its way to the destination for the first time is let be: it ends by itself, or is due again.
    """
    here = (rows.c.replay_id == replay_id, rows.c.replay_id != "", rows.c.state == "waiting")
    idle = sa.or_(rows.c.due_at <= at, rows.c.attempts > 0)
    ids = list(connection.execute(sa.select(rows.c.id).where(*here, idle).limit(limit)).scalars())
    if ids:
        changes = [parked.Change(id=one, state="failed", reason="REPLAY_CANCELLED", at=at) for one in ids]
        return parked.settle(connection, changes)
    if connection.execute(sa.select(rows.c.id).where(*here).limit(1)).first() is None:
        connection.execute(replays.update().where(replays.c.id == replay_id).values(ended_at=at, updated_at=at))
    return 0


def outcomes(connection: Connection, replay_id: str) -> list[tuple[str, str, str, int]]:
    """What became of its deliveries that are still kept: (destination id, state, reason, deliveries)."""
    key = (rows.c.destination_id, rows.c.state, rows.c.reason)
    chosen = (rows.c.replay_id == replay_id, rows.c.replay_id != "")
    query = sa.select(*key, sa.func.count()).where(*chosen).group_by(*key).order_by(*key)
    return [(row[0], row[1], row[2], int(row[3])) for row in connection.execute(query)]


def _read(row: RowMapping) -> Replay:
    columns = {name: value for name, value in row.items() if name not in ("source_id", "query", "destination_ids")}
    wanted = _read_wanted(row["query"])
    return Replay(**columns, wanted=wanted, destination_ids=tuple(row["destination_ids"]))


_read_wanted = converter(Wanted)
