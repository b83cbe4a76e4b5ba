"""Works out a preview, in a process of its own: `python -m headwater.profiles.computing.previewing`.

The task comes as the first line of standard input, then what the archive counted, page by page; when the input ends,
whoever asked is gone, and so is this process. Lines on standard output say how far it has come, and last the answer.
What was counted lies in a file meanwhile, in the order in which people are asked: a page of them at a time, so that
no more than a page is ever in memory.
"""

from __future__ import annotations

import gc
import os
import resource
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import sqlalchemy as sa

from headwater.profiles.computing.past import Counted
from headwater.profiles.computing.rounds import MAX_USERS
from headwater.profiles.computing.standing import decode as decode_standing
from headwater.profiles.computing.standing import values
from headwater.profiles.computing.traits import in_accounts, read_traits
from headwater.profiles.holding import decode_counts
from headwater.profiles.known import State
from headwater.profiles.known import decode as decode_state
from headwater.profiles.language import State as Count
from headwater.profiles.language import compile_query, parse, references
from headwater.profiles.language.values import json
from headwater.spec.computation import Level, Value, holds
from headwater.spec.errors import Unavailable
from headwater.store import Store, accounts, known, people, standing
from headwater.store import workspace as workspaces
from headwater.store.rows import pages
from headwater.store.schema import identifiers, profiles

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NAME: Final = "preview"
"""The name under which the archive counts for a preview."""

SHOWN: Final = 20
"""Identifiers of a member that are shown, the oldest."""

SHOWN_CHARS: Final = 1_000
"""A longer value is shown as the beginning of its JSON text."""

_PAGE: Final = 500
_NAMES: Final = ("name", "firstName", "first_name", "lastName", "last_name", "email")


class Task(msgspec.Struct, frozen=True):
    """What to ask of whom. `counted` says that what the archive counted follows; `scratch` is a file for it."""

    store_url: str
    space_id: str
    query: str
    level: Level
    known_by: tuple[str, ...]
    now: int
    sample: int
    scratch: str
    counted: bool


class Member(msgspec.Struct, frozen=True):
    """A profile that satisfies the query: `because` are the traits that the query reads, as far as it has them.

    `name` and `email` are what its traits or identifiers say and may be empty, like `user_id`. `value` is the trait's
    value, or true for an audience.
    """

    profile_id: str
    value: Value
    name: str = ""
    email: str = ""
    user_id: str = ""
    identifiers: tuple[str, ...] = ()
    because: dict[str, Any] = {}


class Said(msgspec.Struct, frozen=True):
    """A line of output: profiles asked of all; at last the answer, or why there is none."""

    done: int = 0
    total: int = 0
    finished: bool = False
    count: int = 0
    sample: list[Member] = []
    failure: str = ""


def main() -> None:
    """Read the task, do it, write the answer."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # what is made is no circle, and there is much of it
    store = Store(task.store_url, pool_size=1)
    try:
        scratch = Scratch(task.scratch)
        if task.counted:
            scratch.fill(store, task.space_id, _frames(sys.stdin.buffer))
        threading.Thread(target=_watch, daemon=True).start()
        say(answer(task, store, scratch))
    except Unavailable as away:
        say(Said(failure=str(away)))
    except (sqlite3.Error, OSError) as error:
        say(Said(failure=f"There is no room for a preview: {error}"))
    sys.stdout.flush()
    os._exit(0)


def say(said: Said) -> None:
    """Write a line."""
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _watch() -> None:
    """End with whoever asked."""
    while os.read(0, 1):
        pass
    os._exit(1)


_pages = msgspec.msgpack.Decoder(list[Counted]).decode


def _frames(stream: BinaryIO) -> Iterator[list[Counted]]:
    """Pages of what was counted: each after its length in four bytes; a length of 0 ends them."""
    while True:
        head = stream.read(4)
        if len(head) < 4:
            os._exit(1)
        if not (length := int.from_bytes(head, "big")):
            return
        yield _pages(stream.read(length))


class Scratch:
    """What was counted, by canonical profile, in a file."""

    def __init__(self, path: str) -> None:
        """An empty path keeps it in memory."""
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE counted (id TEXT, state BLOB)")
        self.is_empty = True

    def fill(self, store: Store, space_id: str, counted: Iterable[list[Counted]]) -> None:
        """Take in all pages; what is of other spaces is left out."""
        self._file.execute("BEGIN")
        for page in counted:
            canonical = store.run(
                lambda connection, ids=[id for id, _ in page]: _canonical(connection, space_id, ids), write=False
            )
            rows = [(canonical[id], states) for id, states in page if id in canonical]
            self._file.executemany("INSERT INTO counted VALUES (?, ?)", rows)
            self.is_empty = self.is_empty and not rows
        self._file.execute("CREATE INDEX by_id ON counted (id)")
        self._file.execute("COMMIT")

    def of(self, ids: Iterable[str]) -> dict[str, list[Count]]:
        """The states of canonical profiles, one of each profile that merges brought to it."""
        found: defaultdict[str, list[Count]] = defaultdict(list)
        if self.is_empty:
            return found
        for page in pages(ids):
            marks = ", ".join("?" * len(page))
            query = f"SELECT id, state FROM counted WHERE id IN ({marks})"  # noqa: S608 - question marks alone
            for id, states in self._file.execute(query, page):
                found[id].append(decode_counts(states)[NAME])
        return found

    def after(self, after: str, limit: int) -> list[str]:
        """The canonical profiles of which something was counted, in the order of ids."""
        query = "SELECT DISTINCT id FROM counted WHERE id > ? ORDER BY id LIMIT ?"
        return [row[0] for row in self._file.execute(query, (after, limit))]

    def number(self) -> int:
        """How many of them there are."""
        return self._file.execute("SELECT count(DISTINCT id) FROM counted").fetchone()[0]


def _canonical(connection: Connection, space_id: str, ids: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in pages(ids):
        query = sa.select(profiles.c.id, profiles.c.canonical_id)
        query = query.where(profiles.c.id.in_(page), profiles.c.space_id == space_id)
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def answer(task: Task, store: Store, scratch: Scratch, tell: Callable[[Said], None] = say) -> Said:
    """Ask everybody who might satisfy the query. Raises Unavailable when the store is away."""
    asking = Asking(task, store, scratch)
    count = 0
    sample: list[tuple[str, Value]] = []
    total, done = asking.number(), 0
    for page in asking.pages():
        found = store.run(lambda connection, page=page: asking.ask(connection, page), write=False)
        count += len(found)
        sample += found[: task.sample - len(sample)]
        done += len(page)
        tell(Said(done=min(done, total), total=total))
    members = store.run(lambda connection: asking.show(connection, sample), write=False)
    return Said(done=total, total=total, finished=True, count=count, sample=members)


class Asking:
    """One query, asked of pages of canonical profiles."""

    def __init__(self, task: Task, store: Store, scratch: Scratch) -> None:
        query = parse(task.query)
        self._task = task
        self._store = store
        self._scratch = scratch
        self._compiled = compile_query(query, task.level)
        self._traits = references(query).traits
        self._of_accounts: dict[str, str] = {}
        if task.level == "USERS" and self._traits:
            there = store.run(workspaces.load, write=False).computations
            named = [one for one in there if one.space_id == task.space_id and one.key in self._traits]
            self._of_accounts = {one.id: one.key for one in named if one.level == "ACCOUNTS" and one.kind == "audience"}
        self._collection = "users" if task.level == "USERS" else "accounts"
        compiled = self._compiled
        blank = compiled.per_user or self._holds(compiled.value(compiled.new_state(), {}, task.now))
        self._everybody = task.level == "ACCOUNTS" or blank or bool(self._traits)

    def _holds(self, value: Value) -> bool:
        return holds(self._compiled.kind, value)

    def number(self) -> int:
        """How many profiles are to be asked."""
        if not self._everybody:
            return self._scratch.number()
        space_id, collection = self._task.space_id, self._collection
        return self._store.run(lambda connection: people.number(connection, space_id, collection), write=False)

    def pages(self) -> Iterator[list[str]]:
        """The profiles to ask: where nobody can satisfy the query of whom nothing was counted, only the others."""
        after = ""
        while page := self._page(after):
            yield page
            after = page[-1]

    def _page(self, after: str) -> list[str]:
        if not self._everybody:
            return self._scratch.after(after, _PAGE)
        space_id, collection = self._task.space_id, self._collection
        return self._store.run(
            lambda connection: standing.people_after(connection, space_id, collection, after, _PAGE), write=False
        )

    def ask(self, connection: Connection, page: list[str]) -> list[tuple[str, Value]]:
        """Those of a page that satisfy the query, with their values."""
        traits = self._traits_of(connection, page)
        if self._task.level == "ACCOUNTS":
            asked = ((id, self._of_account(connection, id, traits.get(id, {}))) for id in page)
            return [(id, value) for id, value in asked if self._holds(value)]
        states = self._scratch.of(page)
        now, evaluate = self._task.now, self._compiled.evaluate
        asked = ((id, evaluate(self._compiled.whole(states.get(id, ())), traits.get(id, {}), now)[0]) for id in page)
        found = [(id, value) for id, value in asked if self._holds(value)]
        if not self._task.known_by or self._compiled.kind == "trait":
            return found
        reached = _known_by(connection, [id for id, _ in found], self._task.known_by)
        return [(id, value) for id, value in found if id in reached]

    def _of_account(self, connection: Connection, id: str, traits: dict[str, Any]) -> Value:
        """What the query says of an account, as `rounds` works it out."""
        users = accounts.users_of(connection, id)[:MAX_USERS]
        states, now, compiled = self._scratch.of(users), self._task.now, self._compiled
        if not compiled.per_user:
            return compiled.value(compiled.whole(each for user in users for each in states.get(user, ())), traits, now)
        theirs = self._traits_of(connection, users)
        answers = [
            compiled.answers(compiled.whole(states.get(user, ())), theirs.get(user, {}), now)[0] for user in users
        ]
        return compiled.of_account(answers, traits, now)[0]

    def _traits_of(self, connection: Connection, ids: list[str]) -> dict[str, dict[str, Any]]:
        """The traits that the query reads, with the values of other computations."""
        found = _traits(connection, ids, self._traits) if self._traits else {}
        if self._of_accounts:
            for id, keys in in_accounts(connection, ids, self._of_accounts).items():
                found.setdefault(id, {}).update(dict.fromkeys(keys, True))
        return found

    def show(self, connection: Connection, members: list[tuple[str, Value]]) -> list[Member]:
        """Members as they are shown."""
        ids = [id for id, _ in members]
        because = self._traits_of(connection, ids)
        named = _traits(connection, ids, _NAMES)
        _, found = people.look(connection, ids, {})
        return [
            _member(id, value, named.get(id, {}), found[id].identifiers, because.get(id, {}))
            for id, value in members
            if id in found
        ]


def _traits(connection: Connection, ids: list[str], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = {}
    for id, states in known.of_people(connection, ids).items():
        found: list[State] = [decode_state(state) for state in states]
        read[id] = read_traits(found, names)
    for id, stand in standing.standings(connection, ids).items():
        computed = values(decode_standing(stand))
        read.setdefault(id, {}).update({name: computed[name] for name in names if name in computed})
    return read


def _known_by(connection: Connection, ids: list[str], types: Iterable[str]) -> set[str]:
    """Those of canonical profiles that have an identifier of one of these types."""
    found: set[str] = set()
    joined = identifiers.join(profiles, profiles.c.id == identifiers.c.profile_id)
    column = identifiers.c.identifier
    # A semicolon follows the colon, so that these are the identifiers that begin with the type.
    of_type = sa.or_(*(sa.and_(column >= f"{type}:", column < f"{type};") for type in types))
    for page in pages(ids):
        query = sa.select(profiles.c.canonical_id).distinct().select_from(joined)
        found.update(connection.execute(query.where(profiles.c.canonical_id.in_(page), of_type)).scalars())
    return found


def _member(id: str, value: Value, named: dict[str, Any], known_as: tuple[str, ...], because: dict[str, Any]) -> Member:
    def said(*names: str) -> str:
        return next((str(named[name])[:SHOWN_CHARS] for name in names if isinstance(named.get(name), str | int)), "")

    def identified(kind: str) -> str:
        return next((each.partition(":")[2] for each in known_as if each.startswith(f"{kind}:")), "")

    return Member(
        id,
        value,
        said("name") or f"{said('firstName', 'first_name')} {said('lastName', 'last_name')}".strip(),
        said("email") or identified("email"),
        identified("user_id"),
        known_as[:SHOWN],
        {name: _short(each) for name, each in because.items()},
    )


def _short(value: Any) -> Any:
    """The value, or how its JSON begins."""
    text = json(value) or ""
    return value if 0 < len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


if __name__ == "__main__":
    main()
