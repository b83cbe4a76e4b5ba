"""What is worked out of profiles: what was counted, the values they have, when they are due, and what is to be told.

Bytes are the caller's. What is written together is written in one transaction with the place up to which the log is
folded, so that no change is told twice or never.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store import workspace as workspaces
from headwater.store.rows import of_profiles, pages, put
from headwater.store.schema import (
    counted,
    due_profiles,
    moves,
    outbox,
    profiles,
    sizes,
    standings_of_profiles,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT_MOVES: Final = 10_000
"""The newest moves of an audience are kept."""

ANYWHERE: Final = -1
"""In place of a partition: whoever works out values looks at these. Operations and other partitions leave them."""

PUT_OFF: Final = -2
"""In place of a partition: these are to be looked at once a computation can be asked."""

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000


class Waiting(msgspec.Struct, frozen=True):
    """A call in the outbox."""

    id: int
    source_id: str
    message: bytes


class Move(msgspec.Struct, frozen=True):
    """A profile that entered or left an audience. `id` grows with time."""

    computation_id: str
    profile_id: str
    entered: bool
    at: int
    id: int = 0


class Size(msgspec.Struct, frozen=True):
    """How many had a value at the end of an hour (hours since 1970), and how many came and went in it."""

    hour: int
    size: int
    entered: int
    exited: int


def counted_of(connection: Connection, partition: int, ids: Iterable[str]) -> dict[str, bytes]:
    """What a partition counted of profiles; those of which it counted nothing are left out."""
    return of_profiles(connection, counted.c.states, partition, ids)


def counted_of_people(connection: Connection, canonical_ids: Iterable[str]) -> dict[str, list[bytes]]:
    """What all partitions counted of canonical profiles, and of all that merges made one with them."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    joined = profiles.join(counted, counted.c.profile_id == profiles.c.id)
    for page in pages(canonical_ids):
        query = sa.select(profiles.c.canonical_id, counted.c.states).select_from(joined)
        query = query.where(profiles.c.canonical_id.in_(page)).order_by(profiles.c.id, counted.c.partition)
        for row in connection.execute(query):
            found[row[0]].append(bytes(row[1]))
    return dict(found)


def write_counted(connection: Connection, partition: int, changed: Mapping[str, bytes]) -> None:
    """Put what a partition counted in the place of what it had counted before."""
    put(connection, counted, [(id, partition, changed[id]) for id in sorted(changed)])


def standings(connection: Connection, ids: Iterable[str]) -> dict[str, bytes]:
    """How profiles stand; those of which there is nothing to say are left out."""
    found: dict[str, bytes] = {}
    for page in pages(ids):
        query = sa.select(standings_of_profiles).where(standings_of_profiles.c.profile_id.in_(page))
        found.update((row[0], bytes(row[1])) for row in connection.execute(query))
    return found


def standings_of_person(connection: Connection, canonical_id: str) -> dict[str, bytes]:
    """How a canonical profile stands, and those that merges made one with it, as far as there is something to say."""
    joined = standings_of_profiles.join(profiles, profiles.c.id == standings_of_profiles.c.profile_id)
    query = sa.select(standings_of_profiles).select_from(joined).where(profiles.c.canonical_id == canonical_id)
    return {row[0]: bytes(row[1]) for row in connection.execute(query)}


def standings_after(connection: Connection, after: str, limit: int) -> list[tuple[str, bytes]]:
    """How the profiles whose ids follow stand, in the order of ids."""
    query = sa.select(standings_of_profiles).where(standings_of_profiles.c.profile_id > after)
    query = query.order_by(standings_of_profiles.c.profile_id).limit(limit)
    return [(row[0], bytes(row[1])) for row in connection.execute(query)]


def write_standings(connection: Connection, changed: Mapping[str, bytes | None]) -> None:
    """Put how profiles stand in the place of how they stood, at this moment; None takes it away."""
    gone = [id for id, standing in changed.items() if standing is None]
    for page in pages(gone):
        table = standings_of_profiles
        connection.execute(table.delete().where(table.c.profile_id.in_(page)))
    at = _minute()
    there = [(id, changed[id], at) for id in sorted(changed) if changed[id] is not None]
    put(connection, standings_of_profiles, there)


def written_after(
    connection: Connection, space_id: str, after: tuple[int, str], *, until: int, limit: int
) -> list[tuple[int, str]]:
    """The people of a space whose standing was written after a moment (ms) and id, in that order, none after `until`.

    A moment may be seen with the others of its time some seconds late, as far as clocks and transactions are apart.
    """
    table = standings_of_profiles
    query = sa.select(table.c.written_at, table.c.profile_id).join(profiles, profiles.c.id == table.c.profile_id)
    query = query.where(profiles.c.space_id == space_id, profiles.c.collection == "users", table.c.written_at <= until)
    query = query.where(sa.tuple_(table.c.written_at, table.c.profile_id) > sa.tuple_(*map(sa.literal, after)))
    rows = connection.execute(query.order_by(table.c.written_at, table.c.profile_id).limit(limit))
    return [(int(row[0]), row[1]) for row in rows]


def _minute() -> int:
    """The minute it is (ms). A standing that is written time and again stays where it is in the index by moments."""
    return workspaces.now() // _MINUTE_MS * _MINUTE_MS


def due(connection: Connection, partition: int, until: int, limit: int) -> dict[str, int]:
    """The profiles that are due at an instant (ms), those longest due first, each with when it was due."""
    query = sa.select(due_profiles.c.profile_id, due_profiles.c.due_at)
    query = query.where(due_profiles.c.partition == partition, due_profiles.c.due_at <= until)
    return {row[0]: int(row[1]) for row in connection.execute(query.order_by(due_profiles.c.due_at).limit(limit))}


def write_due(connection: Connection, partition: int, changed: Mapping[str, int | None]) -> None:
    """Say when profiles are due; None says that they are not."""
    gone = [id for id, at in changed.items() if at is None]
    for page in pages(gone):
        here = due_profiles.c.partition == partition
        connection.execute(due_profiles.delete().where(here, due_profiles.c.profile_id.in_(page)))
    there = [(partition, id, changed[id]) for id in sorted(changed) if changed[id] is not None]
    put(connection, due_profiles, there)


def make_due(connection: Connection, partition: int, ids: Iterable[str], at: int) -> None:
    """Have profiles looked at about an instant (ms) at the latest; who is left again is due at another instant."""
    rows = [{"partition": partition, "profile_id": id, "due_at": at} for id in sorted(set(ids))]
    if rows:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(due_profiles)
        sooner = sa.case(
            (due_profiles.c.due_at <= insert.excluded.due_at, due_profiles.c.due_at + 1),
            else_=insert.excluded.due_at,
        )
        connection.execute(
            insert.on_conflict_do_update(index_elements=("partition", "profile_id"), set_={"due_at": sooner}), rows
        )


def part(connection: Connection, whole: str, parts: Iterable[str], at: int) -> None:
    """Parts of a profile that are parted stand as the whole did, and are to be looked at; `at` is in milliseconds."""
    ids = set(parts)
    table = standings_of_profiles
    stood = connection.execute(sa.select(table.c.standing).where(table.c.profile_id == whole)).scalar()
    if stood is not None:
        there = standings(connection, ids)
        put(connection, table, [(id, bytes(stood), _minute()) for id in sorted(ids - there.keys())])
    make_due(connection, ANYWHERE, ids | {whole}, at)


def looked_at(connection: Connection, found: Mapping[str, int]) -> None:
    """These have been looked at, unless somebody left them again since they were found, each with when it was due."""
    if found:
        here = due_profiles.c.profile_id == sa.bindparam("id"), due_profiles.c.due_at == sa.bindparam("at")
        rows = [{"id": id, "at": found[id]} for id in sorted(found)]
        connection.execute(due_profiles.delete().where(due_profiles.c.partition == ANYWHERE, *here), rows)


def put_off(connection: Connection, after: str, limit: int) -> list[str]:
    """Profiles that are to be looked at once a computation can be asked, whose ids follow, in the order of ids."""
    query = sa.select(due_profiles.c.profile_id)
    query = query.where(due_profiles.c.partition == PUT_OFF, due_profiles.c.profile_id > after)
    return list(connection.execute(query.order_by(due_profiles.c.profile_id).limit(limit)).scalars())


def nobody_is_put_off(connection: Connection) -> None:
    """All of these have been looked at."""
    connection.execute(due_profiles.delete().where(due_profiles.c.partition == PUT_OFF))


def people_after(connection: Connection, space_id: str, collection: str, after: str, limit: int) -> list[str]:
    """The canonical profiles of a space whose ids follow, in the order of ids."""
    query = sa.select(profiles.c.id).where(
        profiles.c.id > after,
        profiles.c.space_id == space_id,
        profiles.c.collection == collection,
        profiles.c.canonical_id == profiles.c.id,
    )
    return list(connection.execute(query.order_by(profiles.c.id).limit(limit)).scalars())


def put_out(connection: Connection, partition: int, messages: Sequence[tuple[str, bytes]]) -> None:
    """Leave calls, each with its source, to be appended to the log."""
    if messages:
        rows = [{"partition": partition, "source_id": source, "message": message} for source, message in messages]
        connection.execute(outbox.insert(), rows)


def waiting(connection: Connection, partition: int, limit: int) -> list[Waiting]:
    """Calls that wait to be appended, in their order."""
    query = sa.select(outbox.c.id, outbox.c.source_id, outbox.c.message).where(outbox.c.partition == partition)
    rows = connection.execute(query.order_by(outbox.c.id).limit(limit))
    return [Waiting(int(row[0]), row[1], bytes(row[2])) for row in rows]


def sent(connection: Connection, partition: int, until: int) -> None:
    """The calls up to an id are in the log."""
    connection.execute(outbox.delete().where(outbox.c.partition == partition, outbox.c.id <= until))


def record_moves(connection: Connection, made: Sequence[Move], now: int, all_sizes: Mapping[str, int]) -> None:
    """Keep who moved, and the sizes of computations as they are after it; `now` is in milliseconds."""
    if made:
        names = ("computation_id", "profile_id", "entered", "at")
        connection.execute(moves.insert(), [{name: getattr(one, name) for name in names} for one in made])
    entered: defaultdict[str, int] = defaultdict(int)
    exited: defaultdict[str, int] = defaultdict(int)
    for one in made:
        (entered if one.entered else exited)[one.computation_id] += 1
    hour = now // _HOUR_MS
    rows = [
        {"computation_id": id, "hour": hour, "size": all_sizes[id], "entered": entered[id], "exited": exited[id]}
        for id in sorted(all_sizes)
    ]
    if not rows:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(sizes)
    values: dict[str, Any] = {
        "size": insert.excluded.size,
        "entered": sizes.c.entered + insert.excluded.entered,
        "exited": sizes.c.exited + insert.excluded.exited,
    }
    connection.execute(insert.on_conflict_do_update(index_elements=("computation_id", "hour"), set_=values), rows)


def trim_moves(connection: Connection, computation_id: str) -> None:
    """Forget the oldest moves beyond those that are kept."""
    here = moves.c.computation_id == computation_id
    oldest = sa.select(moves.c.id).where(here).order_by(moves.c.id.desc()).offset(KEPT_MOVES).limit(1)
    connection.execute(moves.delete().where(here, moves.c.id <= oldest.scalar_subquery()))


def latest_moves(
    connection: Connection, computation_id: str, *, entered: bool | None = None, before: int = 0, limit: int = 50
) -> list[Move]:
    """Who moved lately, newest first; `before` is the id of the last of the page before."""
    query = sa.select(moves).where(moves.c.computation_id == computation_id)
    if entered is not None:
        query = query.where(moves.c.entered == entered)
    if before:
        query = query.where(moves.c.id < before)
    rows = connection.execute(query.order_by(moves.c.id.desc()).limit(limit)).mappings()
    return [Move(row["computation_id"], row["profile_id"], row["entered"], row["at"], row["id"]) for row in rows]


def size_series(connection: Connection, computation_id: str, since_hour: int) -> list[Size]:
    """The sizes since an hour, oldest first; hours in which nothing moved are left out."""
    query = sa.select(sizes).where(sizes.c.computation_id == computation_id, sizes.c.hour >= since_hour)
    rows = connection.execute(query.order_by(sizes.c.hour)).mappings()
    return [Size(row["hour"], row["size"], row["entered"], row["exited"]) for row in rows]
