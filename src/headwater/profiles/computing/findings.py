"""What was worked out since the last write: it is written whole, with the place up to which events are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from headwater.profiles.computing.people import Person
from headwater.profiles.computing.standing import encode
from headwater.spec.computation import Run
from headwater.store import accounts, computations, standing
from headwater.store.standing import Move

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

OWNER: Final = 0
"""The partition in which values are worked out."""


class Findings(msgspec.Struct):
    """What one partition found.

    `due` says when profiles are due, None that they are not; those `elsewhere` are for the owner to look at, and those
    `put_off` for a time when all computations can be asked. `accounts` had something happen, and so had the accounts
    of `users`; they are looked at `accounts_after` so many milliseconds. The people of accounts in `members` are to be
    asked again. Others wanted those who were `looked_at`.
    `begun` are runs that moved, `sizes` by how much computations grew.
    """

    due: dict[str, int | None] = {}
    messages: list[tuple[str, bytes]] = []
    moves: list[Move] = []
    sizes: dict[str, int] = {}
    begun: dict[str, Run] = {}
    looked_at: dict[str, int] = {}
    elsewhere: set[str] = set()
    put_off: set[str] = set()
    none_put_off: bool = False
    accounts: set[str] = set()
    users: set[str] = set()
    members: set[str] = set()
    accounts_after: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__ if name != "accounts_after")

    def grew(self, computation_id: str, by: int) -> None:
        """So many more have a value."""
        self.sizes[computation_id] = self.sizes.get(computation_id, 0) + by

    def write(self, connection: Connection, partition: int, people: Iterable[Person], now: int) -> None:
        """Write all of it but the runs, and the people whose standing changed; `now` is in milliseconds."""
        stands: dict[str, bytes | None] = {}
        changed = list(people)
        for person in changed:
            stands.update(dict.fromkeys(person.absorbed))
        for person in changed:
            stands[person.id] = encode(person.standing) if person.standing.values else None
        standing.write_standings(connection, stands)
        self._write_due(connection, OWNER if partition == OWNER else standing.ANYWHERE, now)
        standing.put_out(connection, partition, self.messages)

    def _write_due(self, connection: Connection, to: int, now: int) -> None:
        """What others leave stands apart, so that the owner, who is at work meanwhile, does not write over it."""
        standing.write_due(connection, OWNER, self.due)
        standing.looked_at(connection, self.looked_at)
        standing.make_due(connection, to, self.elsewhere, now)
        touched = set(self.accounts)
        for found in accounts.accounts_of(connection, sorted(self.users)).values() if self.users else ():
            touched.update(found)
        standing.make_due(connection, to, touched, now + self.accounts_after)
        for account_id in sorted(self.members):
            standing.make_due(connection, standing.ANYWHERE, accounts.users_of(connection, account_id), now)
        if self.none_put_off:
            standing.nobody_is_put_off(connection)
        standing.make_due(connection, standing.PUT_OFF, self.put_off, now)

    def write_runs(
        self, connection: Connection, runs: Mapping[str, Run], *, alone: bool, owner: bool, now: int
    ) -> None:
        """Write how far computations have come, and who moved in them.

        Unless this partition is `alone`, the positions from which the others count are kept as they noted them, and
        all else is the owner's to say.
        """
        changed = (self.begun.keys() | self.sizes.keys()) & runs.keys()
        kept = {} if alone else computations.read_runs(connection, changed)
        written: list[Run] = []
        for id in changed:
            run, there = self.grown(runs[id]), kept.get(id)
            if there is not None and there.version > run.version:  # another partition has heard of an edit before
                if not owner:
                    continue
                run = self.grown(there)
            elif there is not None and there.version == run.version:
                base = run if owner else there
                run = msgspec.structs.replace(base, since=there.since | run.since)
            written.append(msgspec.structs.replace(run, updated_at=now))
        computations.write_runs(connection, written)
        standing.record_moves(connection, self.moves, now, {run.computation_id: run.size for run in written})

    def grown(self, run: Run) -> Run:
        """A run with the size that its computation has after this."""
        by = self.sizes.get(run.computation_id, 0)
        return msgspec.structs.replace(run, size=max(0, run.size + by)) if by else run
