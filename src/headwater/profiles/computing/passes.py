"""The passes by which a new computation, or a new reader of one, learns of what was before.

They go on a page at a time between chunks of the log, in the process that folds. How far they have come is written
with what they found, so that a process that ends loses a page at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import msgspec

from headwater.profiles.computing import joining, runs
from headwater.profiles.computing.catalogue import Ready, Rules
from headwater.profiles.computing.past import Counted, Past, Wanted
from headwater.profiles.computing.people import Person
from headwater.profiles.computing.rounds import MAX_USERS, look_at
from headwater.profiles.computing.stage import Stage
from headwater.profiles.computing.standing import Change, decode
from headwater.profiles.holding import decode_counts
from headwater.spec.computation import Connection, Run, holds
from headwater.spec.errors import Unavailable
from headwater.store import accounts, computations, people, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as Database

    from headwater.profiles.holding import Holding
    from headwater.store import Store

PAGE: Final = 500
LAST: Final = "~"
"""After the ids of all profiles."""

ENOUGH: Final = 10_000
"""Calls that one page may leave, should it be of accounts with many people."""

_DAY_MS: Final = 86_400_000
_COLLECTION: Final = {"USERS": "users", "ACCOUNTS": "accounts"}


class Passes:
    """The passes of all computations, one page of one of them at a time."""

    def __init__(self, stage: Stage, holding: Holding, store: Store, past: Past | None, partitions: int) -> None:
        """Without a `past` nothing that was before is counted."""
        self._stage = stage
        self._holding = holding
        self._store = store
        self._past = past
        self._partitions = partitions
        self._counting: tuple[str, asyncio.Task[None]] | None = None
        self._progress = (0, 0)
        self._pages: dict[str, AsyncIterator[list[Counted]]] = {}

    async def close(self) -> None:
        """End what is being counted; it is begun again by whoever comes next."""
        if self._counting is not None:
            self._counting[1].cancel()
            await asyncio.gather(self._counting[1], return_exceptions=True)
            self._counting = None

    def forget(self) -> None:
        """What was found has not been written: go on from what was."""
        self._pages.clear()
        self._stage.sending.clear()

    async def step(self, now: int) -> bool:
        """Do the next page of work; says whether there is more to be done at once."""
        await self._let_go()
        for rules in self._stage.rules.values():
            for ready in rules.ready:
                run = self._stage.runs.get(ready.id)
                if run is None or run.version != ready.computation.version:
                    continue
                if run.phase == "LIVE":
                    if await self._send(ready, run, now):
                        return True
                elif await self._advance(ready, rules, run, now):
                    return True
        return False

    async def _let_go(self) -> None:
        """End what nobody wants any more: versions of computations that were edited, disabled or removed meanwhile."""
        wanted = self._stage.names
        if self._counting is not None and self._counting[0] not in wanted:
            await self.close()
        kept = {ready.id for rules in self._stage.rules.values() for ready in rules.ready}
        for id in self._pages.keys() - kept:
            del self._pages[id]
        for key in [key for key in self._stage.sending if key[0] not in kept]:
            del self._stage.sending[key]

    async def _advance(self, ready: Ready, rules: Rules, run: Run, now: int) -> bool:
        match run.phase:
            case "PREPARING":
                return await self._prepare(ready, run, now)
            case "BACKFILLING":
                return await self._count(ready, run, now)
            case "COMPUTING" if run.cursor.startswith(runs.TAKING_IN):
                return await self._take_in(ready, rules, run, now)
            case "COMPUTING" if run.cursor.startswith(runs.ASKING_AGAIN):
                return await self._ask_again(ready, rules, run, now)
            case "COMPUTING":
                return await self._ask(ready, rules, run, now)
            case _:
                return False

    async def _prepare(self, ready: Ready, run: Run, now: int) -> bool:
        if len(run.since) < self._partitions:
            there = await self._store.read(lambda connection: computations.read_runs(connection, [ready.id]))
            if (found := there.get(ready.id)) is not None and found.version == run.version:
                self._stage.runs[ready.id] = msgspec.structs.replace(run, since=found.since | run.since)
            return False
        if self._past is None or not runs.counts_the_past(ready):
            self._stage.note(runs.ask(run, "", 0, 0, now))
            return True
        # Where the stream begins is known for good once it is written: a process that ends before counts from another
        # place, and must not find an answer up to this one.
        if ready.id in self._stage.found.begun or not await self._past.reaches(run.since):
            return False
        self._stage.note(runs.begin(run, now))
        return True

    async def _count(self, ready: Ready, run: Run, now: int) -> bool:
        """Have the past counted, one computation at a time; says whether that is done."""
        assert self._past is not None, "without a past nothing is counted"
        name = ready.counted_as
        if self._counting is None:
            days = ready.computation.history_days
            since = run.started_at - days * _DAY_MS if days else 0
            wanted = [Wanted(name, ready.computation.query, ready.computation.level, since)]
            job = self._past.count(name, ready.computation.space_id, wanted, run.since, progress=self._hear)
            self._counting = name, asyncio.ensure_future(job)
            self._progress = (0, 0)
        if self._counting[0] != name:
            return False
        task = self._counting[1]
        if not task.done():
            done, total = self._progress
            if done != run.done:
                self._stage.note(msgspec.structs.replace(run, done=done, total=total, updated_at=now))
            return False
        self._counting = None
        try:
            task.result()
        except Unavailable as away:
            self._stage.note(msgspec.structs.replace(run, error=str(away), updated_at=now))
            return False
        except Exception as error:
            self._stage.note(runs.failed(run, f"The past could not be counted: {error}", now))
            return False
        self._stage.note(runs.take_in(msgspec.structs.replace(run, error=""), "", 0, now))
        return True

    def _hear(self, done: int, total: int) -> None:
        self._progress = done, total

    async def _take_in(self, ready: Ready, rules: Rules, run: Run, now: int) -> bool:
        """Take in a page of what was counted, and ask those whom it makes members."""
        assert self._past is not None, "without a past nothing is counted"
        pages = self._pages.get(ready.id)
        if pages is None:
            pages = self._pages[ready.id] = self._past.counted(ready.counted_as, run.cursor[1:])
        page = await anext(pages, None)
        if page is None:
            del self._pages[ready.id]
            await self._past.forget(ready.counted_as)
            self._stage.note(runs.ask(run, "", 0, 0, now))
            return True
        asked = await self._merge(ready, page, now)
        if asked and ready.computation.level == "USERS":
            await self._stage.look(asked)
            await self._holding.learn(asked, counting=True)
            self._stage.note(runs.take_in(run, page[-1][0], run.done + len(page), now))
            for id in asked:
                person = self._stage.people.of(id)
                if person is not None and person.id == id and person.space_id == rules.space_id:
                    self._stage.settle(person, rules, [ready.place], now)
        else:
            self._stage.note(runs.take_in(run, page[-1][0], run.done + len(page), now))
        return True

    async def _merge(self, ready: Ready, page: list[Counted], now: int) -> list[str]:
        """Put what was counted to what is counted; returns the profiles that this may make members."""
        name, compiled = ready.counted_as, ready.compiled
        await self._holding.learn([id for id, _ in page], counting=True)
        asked: list[str] = []
        for id, states in page:
            state = decode_counts(states).get(name)
            if state is None:
                continue
            mine = self._holding.held[id].counts()
            mine[name] = compiled.merge(state, mine[name]) if name in mine else state
            self._holding.counted.add(id)
            if not compiled.per_user:
                value, due = compiled.evaluate(mine[name], {}, now)
                if holds(ready.computation.kind, value) or due is not None or ready.traits:
                    asked.append(id)
        return asked

    async def _ask(self, ready: Ready, rules: Rules, run: Run, now: int) -> bool:
        """Ask a page of those that the first pass could not ask."""
        collection, space_id = _COLLECTION[ready.computation.level], rules.space_id
        of_accounts = collection == "accounts"
        everybody = runs.asks_everybody(ready) or of_accounts
        after = run.cursor[1:]
        if of_accounts and not after and self._stage.dirty:
            return False  # what is counted of their people is read from the store, so that it must be there
        some = standing.people_after if everybody else people.merged
        page = await self._store.read(lambda connection: some(connection, space_id, collection, after, PAGE))
        if not page:
            self._stage.note(runs.ask_again(run, "", now))
            return True
        total = run.total
        if everybody and not after:
            total = await self._store.read(lambda connection: people.number(connection, space_id, collection))
        self._stage.note(runs.ask(run, page[-1], run.done + len(page), total, now))
        if of_accounts:
            left = await look_at(self._stage, self._holding, self._store, page, now)
            done = list(takewhile(lambda id: id not in left, page))
            self._stage.note(runs.ask(run, done[-1], run.done + len(done), total, now))
        else:
            await self._ask_page(ready, rules, page, now)
        return True

    async def _ask_again(self, ready: Ready, rules: Rules, run: Run, now: int) -> bool:
        """Ask a page of those of whom events came while the computation could not be asked."""
        after = run.cursor[1:]
        if not after and self._stage.dirty:
            return False  # they are read from the store, so that they must be there
        page = await self._store.read(lambda connection: standing.put_off(connection, after, PAGE))
        if page:
            self._stage.note(runs.ask_again(run, page[-1], now))
            await self._ask_page(ready, rules, page, now)
            return True
        self._stage.note(runs.live(run, now))
        if self._stage.all_ask:
            self._stage.found.none_put_off = True
        return True

    async def _ask_page(self, ready: Ready, rules: Rules, page: list[str], now: int) -> None:
        members = await self._stage.look(page)
        await self._holding.learn(members, counting=True)
        for id in page:
            person = self._stage.people.of(id)
            if person is not None and person.space_id == rules.space_id:
                self._stage.settle(person, rules, [ready.place], now)

    async def _send(self, ready: Ready, run: Run, now: int) -> bool:
        """Tell a connection that was made later, or is to be told again, what holds already; a page of it."""
        for connection in ready.computation.connections:
            if connection.enabled and run.told.get(connection.id) != connection.resync:
                await self._send_page(ready, run, connection, now)
                return True
        return False

    async def _send_page(self, ready: Ready, run: Run, connection: Connection, now: int) -> None:
        key = ready.id, connection.id
        after = self._stage.sending.get(key, "")
        page = await self._store.read(lambda database: standing.standings_after(database, after, PAGE))
        until, kind = (page[-1][0] if page else LAST), ready.computation.kind
        self._stage.sending[key] = until
        held = {id: decode(each).values.get(ready.id) for id, each in page}
        members = {id for id, one in held.items() if one is not None and holds(kind, one.value)}
        members |= {id for id in self._stage.people.changed if after < id <= until}  # who is not written yet
        parts = await self._stage.look(members)
        await self._holding.learn(parts, counting=True)
        for id in sorted(members):
            person = self._stage.people.of(id)
            one = None if person is None or person.id != id else person.standing.values.get(ready.id)
            if person is not None and one is not None and holds(kind, one.value):  # as it is now, written or not
                value, changes = one.value, one.changes
                change = Change(ready, value, value, changes, "untold", person.identifiers)
                those = await self._people(person)
                self._stage.tell(person, change, now, only=connection, people=those)
                if len(self._stage.found.messages) >= ENOUGH:
                    self._stage.sending[key] = id
                    return
        if not page:
            self._stage.sending.pop(key, None)
            told = {**run.told, connection.id: connection.resync}
            self._stage.note(msgspec.structs.replace(run, told=told, updated_at=now))

    async def _people(self, person: Person) -> tuple[joining.Linked, ...]:
        """The people of an account who have been told of it; who joined since hears of it as the others did."""
        if person.collection != "accounts":
            return ()
        people = await self._store.read(lambda connection: _people_of(connection, person.id))
        return joining.told(people, person.standing.people)


def _people_of(connection: Database, account_id: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    _, found = people.look(connection, accounts.users_of(connection, account_id)[:MAX_USERS], {})
    return tuple(sorted((id, one.identifiers) for id, one in found.items()))
