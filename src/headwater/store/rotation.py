"""A new key for everything that is sealed, while the house runs (`secrets.py` says how secrets are sealed).

The new key is written into the key file before anything is sealed with it, and the old one is taken out only when
nothing is left that it sealed. Between the two, each transaction seals some rows anew. So whatever instant the process
is killed at, every secret opens with what the key file holds, and running it again goes on from there: what is left to
do is read off the file and the rows.

The roles of a running house need no restart. Whoever seals looks at the key file first, and whoever meets a key that he
does not know reads it again. The old key stays for some seconds after the last row, because a role may have sealed with
it just before, in a transaction that ends just after.
"""

from __future__ import annotations

import os
import secrets as chance
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SetupError
from headwater.spec.wire import JSON
from headwater.store.schema import (
    authorization_links,
    authorizations,
    destinations,
    oauth_apps,
    profiles_warehouses,
    sources,
    subscriptions,
    warehouses,
    workspaces,
)
from headwater.store.secrets import KeyFile, Secrets, drop_drafts, key_id, read_keys, write_keys
from headwater.store.workspace import touch

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

SEALED: Final[tuple[sa.Column[Any], ...]] = (
    sources.c.settings,
    destinations.c.settings,
    subscriptions.c.mapping,
    subscriptions.c.hooks,
    warehouses.c.settings,
    profiles_warehouses.c.settings,
    oauth_apps.c.settings,
    authorizations.c.tokens,
    authorization_links.c.verifier,
)
"""Every column that may hold what is sealed; a test holds this against the tables."""

_PAGE: Final = 100
_PASSES: Final = 20
Stage = Literal["key", "sealing", "waiting", "removing", "done"]


class Progress(msgspec.Struct, frozen=True):
    """How far a rotation is: rows looked at, of how many, and how many values were sealed anew."""

    stage: Stage
    done: int = 0
    total: int = 0
    sealed: int = 0


@contextmanager
def held(path: Path) -> Generator[None]:
    """Keep others from changing the key file. Raises SetupError when somebody does already."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SetupError("The key is being rotated already; let that end first.") from error
        yield
    finally:
        os.close(handle)


def prepare(path: Path) -> str:
    """Add a key that opens and does not seal yet, unless there is one; returns its id. For houses of many machines."""
    with held(path):
        drop_drafts(path)
        file = read_keys(path)
        if not file.coming:
            file = msgspec.structs.replace(file, coming=[chance.token_bytes(32)])
            write_keys(path, file)
        return key_id(file.coming[0])


def prepared(path: Path) -> bool:
    """Does the key file hold another key already, which `rotate` goes on with?"""
    file = read_keys(path)
    return bool(file.coming) or len(file.keys) > 1


def rotate(
    store: Store,
    path: Path,
    *,
    retire: bool = True,
    grace: float = 5.0,
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[Progress]:
    """Seal everything with a new key, or finish a rotation that was begun. Yields how far it is.

    Without `retire` the old keys stay in the key file; else they go `grace` seconds after the last row that they had
    sealed. `rest` waits for so many seconds. Raises SetupError when the
    key file cannot be used, and Unavailable while the store is away; what was done stays done.
    """
    with held(path):
        drop_drafts(path)
        yield Progress("key")
        file = read_keys(path)
        if file.coming or len(file.keys) == 1:
            new = file.coming or [chance.token_bytes(32)]
            file = KeyFile([*new, *file.keys])
            write_keys(path, file)
        secrets = Secrets.from_file(path)
        store.run(lambda connection: connection.execute(workspaces.update().values(key_id=secrets.newest)))
        yield from _seal(store, secrets)
        if not retire:
            yield Progress("done")
            return
        yield Progress("waiting")
        rest(grace)
        for _ in range(_PASSES):
            last = Progress("sealing")
            for last in _seal(store, secrets):
                yield last
            if not last.sealed:
                break
        else:
            raise SetupError(
                "Something still seals with the old key, which therefore stays. Give every machine of the house the "
                "key file as it is here, and run this again."
            )
        yield Progress("removing")
        write_keys(path, KeyFile(file.keys[:1]))
        yield Progress("done")


def _seal(store: Store, secrets: Secrets) -> Iterator[Progress]:
    """One look at every row; the rows of a page are sealed in one transaction."""
    total = sum(store.run(partial(_count, table=table), write=False) for table in _tables())
    done = sealed = 0
    yield Progress("sealing", done, total)
    for table in _tables():
        after: str | None = None
        rows = _PAGE
        while rows == _PAGE:
            page = partial(_page, table=table, after=after, secrets=secrets)
            rows, changed, after = store.run(page)
            done, sealed = done + rows, sealed + changed
            yield Progress("sealing", done, max(total, done), sealed)
    if sealed:
        store.run(touch)


def _tables() -> list[sa.Table]:
    return list(dict.fromkeys(column.table for column in SEALED))


def _count(connection: Connection, *, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _page(
    connection: Connection, *, table: sa.Table, after: str | None, secrets: Secrets
) -> tuple[int, int, str | None]:
    """Seal one page anew. Returns how many rows it has, how many changed, and the key of the last."""
    (key,) = table.primary_key.columns
    columns = [column for column in SEALED if column.table is table]
    query = sa.select(key, *columns).order_by(key).limit(_PAGE).with_for_update()
    if after is not None:
        query = query.where(key > after)
    rows = connection.execute(query).all()
    changed = 0
    for row in rows:
        before = {column.name: cast("JSON", value) for column, value in zip(columns, row[1:], strict=True)}
        anew = {name: secrets.reseal_all(value) for name, value in before.items()}
        differ = {name: value for name, value in anew.items() if value != before[name]}
        if differ:
            connection.execute(table.update().where(key == row[0]).values(**differ))
            changed += 1
    return len(rows), changed, rows[-1][0] if rows else None
