"""PostgreSQL: inserts into one table, one row an event, at most once for each messageId.

A batch is one statement that succeeds or fails whole; if the database refuses a value in it, the batch is halved until
the event is found that it comes from. The events stand in `payload` as they were published. The table is made when it
is missing, unless the owner says that it is kept by somebody else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString

from headwater.spec.destination import Failed, Guard, Item, NoAnswer, Result

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

MODES: Final = ("ignore", "replace")
_COLUMNS: Final[dict[LiteralString, LiteralString]] = {
    "message_id": "text",
    "type": "text",
    "event": "text",
    "user_id": "text",
    "anonymous_id": "text",
    "timestamp": "timestamptz",
    "received_at": "timestamptz",
    "payload": "jsonb",
}
_REFUSALS: Final = (
    "authentication failed",
    "FATAL: role ",
    "pg_hba.conf",
    "permission denied",
    "is not permitted to log in",
)
_OPEN_SECONDS: Final = 10


class Table:
    """An open connection, and the table behind it."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], insert: sql.Composed) -> None:
        self._connection = connection
        self._insert = insert

    async def write(self, items: Sequence[Item]) -> Result:
        """Insert the items; those whose values the database refuses fail."""
        rows = {row["message_id"]: row for row in map(_row, items)}
        failed = await self._put(list(rows.values()))
        found = {index: failed.get(item.message_id) for index, item in enumerate(items)}
        return {index: why for index, why in found.items() if why is not None} or None

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _put(self, rows: list[dict[str, Any]]) -> dict[str, Failed]:
        from psycopg import DataError, Error

        try:
            await self._connection.execute(self._insert, [[row[name] for row in rows] for name in _COLUMNS])
        except DataError as error:
            if len(rows) == 1:
                return {rows[0]["message_id"]: Failed(f"The database refuses a value: {_said(error)}")}
            middle = len(rows) // 2
            return await self._put(rows[:middle]) | await self._put(rows[middle:])
        except Error as error:
            raise _silence(error) from error
        return {}


async def connect(settings: dict[str, Any], guard: Guard) -> Table:
    """Open a connection to the address that the guard gives, and make the table."""
    from psycopg import AsyncConnection, Error, sql

    port = int(settings.get("port") or 5432)
    address = await guard(settings["host"], port)
    schema, table = settings.get("schema") or "public", settings.get("table") or "events"
    with _authority(settings) as authority:
        try:
            connection = await AsyncConnection.connect(
                "",
                autocommit=True,
                prepare_threshold=None,
                host=settings["host"],
                hostaddr=address,
                port=port,
                dbname=settings["database"],
                user=settings["user"],
                password=settings.get("password") or "",
                passfile="/nonexistent",
                sslmode=settings.get("tls") or "require",
                sslrootcert=authority,
                gssencmode="disable",
                connect_timeout=_OPEN_SECONDS,
                application_name="headwater",
                client_encoding="utf8",
            )
        except Error as error:
            raise _silence(error) from error
    try:
        if settings.get("createTable") is not False:
            for statement in _making(sql.Identifier(schema), sql.Identifier(table), schema):
                await connection.execute(statement)
    except Error as error:
        await connection.close()
        raise _silence(error) from error
    return Table(connection, _inserting(sql.Identifier(schema, table), settings.get("onDuplicate") or MODES[0]))


def _row(item: Item) -> dict[str, Any]:
    event = item.read()
    found: dict[str, Any] = {
        "message_id": item.message_id,
        "type": item.type,
        "event": item.name or None,
        "payload": item.body.decode(),
    }
    for column, key in (("user_id", "userId"), ("anonymous_id", "anonymousId")):
        value = event.get(key)
        found[column] = value.replace("\0", "") if isinstance(value, str) else None
    for column, key in (("timestamp", "timestamp"), ("received_at", "receivedAt")):
        found[column] = _moment(event.get(key))
    return found


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found if found.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _making(schema: sql.Identifier, table: sql.Identifier, name: str) -> Iterator[sql.Composed]:
    """Statements that make what is missing. A schema is only made if it is not the one that is always there."""
    from psycopg import sql

    if name != "public":
        yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in _COLUMNS.items()
    )
    made = sql.SQL("CREATE TABLE IF NOT EXISTS {}.{} ({}, PRIMARY KEY (message_id))")
    yield made.format(schema, table, columns)


def _inserting(table: sql.Identifier, mode: str) -> sql.Composed:
    from psycopg import sql

    names = [sql.Identifier(column) for column in _COLUMNS]
    arrays = sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kind)) for kind in _COLUMNS.values())
    renewed = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names[1:])
    ending = sql.SQL("NOTHING") if mode == "ignore" else sql.SQL("UPDATE SET {}").format(renewed)
    start = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT (message_id) DO {}")
    return start.format(table, sql.SQL(", ").join(names), arrays, ending)


@contextmanager
def _authority(settings: dict[str, Any]) -> Generator[str]:
    """A file with the authorities to trust, since the driver reads one; empty when none is asked for."""
    import certifi

    if not (settings.get("tls") or "require").startswith("verify"):
        yield ""
    elif not settings.get("caCertificate"):
        yield certifi.where()
    else:
        with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
            file = Path(folder) / "authority.pem"
            file.write_text(settings["caCertificate"])
            yield str(file)


def _silence(error: psycopg.Error) -> NoAnswer:
    """What an error of the driver means: class 28 and refused logins are the owner's to mend, and so is class 42."""
    code, said = error.sqlstate or "", _said(error)
    if code.startswith("28") or code == "42501" or (not code and any(each in said for each in _REFUSALS)):
        return NoAnswer("UNAUTHORIZED", said)
    if code.startswith("42") and code != "42P01":
        return NoAnswer("INVALID_SETTINGS", said)
    return NoAnswer("UNREACHABLE", said)


def _said(error: psycopg.Error) -> str:
    """The server's own sentence, without the values that it may quote in its details."""
    said = error.diag.message_primary or str(error)
    return " ".join(said.split())[:300]
