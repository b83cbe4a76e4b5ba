"""PostgreSQL, and what speaks its protocol: a schema for each source in one database."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

from headwater.spec.destination import Field
from headwater.spec.errors import SetupError, Unavailable
from headwater.warehouse.engines import EngineDefinition, Place

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

    from headwater.warehouse.casting import ArrowTable, Kind
    from headwater.warehouse.tables import Capabilities, Existing

_TYPES: Final = {
    "text": "text",
    "integer": "bigint",
    "float": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamp with time zone",
}
_CONNECTION: Final = {
    "application_name": "headwater",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SEARCHED: Final = "uuid"
_OWNER_MUST_ACT: Final = ("28", "3D", "3F", "42", "0A", "22", "23", "25006", "54")
"""Classes of SQLSTATE that time does not heal: authentication, missing things, permissions, rows that are refused."""
_WORDS: Final = ("password authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")


class PostgresSession:
    """One transaction on a connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def columns(self, schemas: Sequence[str]) -> dict[str, dict[str, Existing]]:
        """See Session."""
        from headwater.warehouse.casting import Kind

        kinds = {word: Kind(kind) for kind, word in _TYPES.items()}
        found: dict[str, dict[str, Existing]] = {}
        query = (
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped "
            "ORDER BY n.nspname, c.relname, a.attnum"
        )
        for schema, table, column, word in self._connection.execute(query, [list(schemas)]):
            found.setdefault(schema, {}).setdefault(table, {})[column] = kinds.get(
                "text" if word == "character varying" else word
            )
        return found

    def create(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """See Session. An index on the ids' hashes makes the search for known ids cheap."""
        from psycopg import sql

        self._alone(schema)
        listed = sql.SQL(", ").join(_column(name, kind) for name, kind in columns.items())
        if not self._connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone():
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        target = sql.Identifier(schema, table)
        self._connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target, listed))
        if _SEARCHED in columns:
            self._connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(target, sql.Identifier(_SEARCHED)))

    def add(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """See Session."""
        from psycopg import sql

        listed = sql.SQL(", ").join(sql.SQL("ADD COLUMN {}").format(_column(*item)) for item in columns.items())
        self._connection.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(schema, table), listed))

    def known(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int]) -> set[str]:
        """See Session. Another process that loads the same schema waits from here on until this one has committed."""
        self._alone(schema)
        query = _query("SELECT id FROM {} WHERE uuid = ANY(%s) AND id = ANY(%s)", schema, table)
        return {row[0] for row in self._connection.execute(query, [list(uuids), list(ids)])}

    def rows(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> ArrowTable:
        """See Session. Columns of types that are not ours come as text."""
        import pyarrow as pa
        from psycopg import sql

        from headwater.warehouse.casting import ARROW

        columns = self.columns([schema])[schema][table]
        listed = sql.SQL(", ").join(
            sql.Identifier(name) if kind else sql.SQL("{}::text").format(sql.Identifier(name))
            for name, kind in columns.items()
        )
        query = sql.SQL("SELECT {} FROM {} WHERE uuid = ANY(%s) AND {} = ANY(%s)").format(
            listed, sql.Identifier(schema, table), sql.Identifier(by)
        )
        found = self._connection.execute(query, [list(uuids), list(ids)]).fetchall()
        cells: list[Sequence[Any]] = list(zip(*found, strict=True)) if found else [[] for _ in columns]
        arrays = [
            pa.array(values, ARROW[kind] if kind else pa.string())
            for values, kind in zip(cells, columns.values(), strict=True)
        ]
        return pa.table(dict(zip(columns, arrays, strict=True)))

    def delete(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> None:
        """See Session."""
        from psycopg import sql

        which = sql.SQL("DELETE FROM {} WHERE uuid = ANY(%s) AND {} = ANY(%s)")
        query = which.format(sql.Identifier(schema, table), sql.Identifier(by))
        self._connection.execute(query, [list(uuids), list(ids)])

    def insert(self, schema: str, table: str, rows: ArrowTable) -> None:
        """See Session. Arrow writes CSV, which the server copies in; nothing passes through Python row by row."""
        from psycopg import sql
        from pyarrow import csv

        listed = sql.SQL(", ").join(sql.Identifier(name) for name in rows.column_names)
        copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(schema, table), listed)
        buffer = io.BytesIO()
        csv.write_csv(rows, buffer, csv.WriteOptions(include_header=False))
        with self._connection.cursor() as cursor, cursor.copy(copy) as into:
            into.write(buffer.getbuffer())

    def _alone(self, schema: str) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"headwater:{schema}"])


def _query(text: LiteralString, schema: str, table: str) -> Composed:
    from psycopg import sql

    return sql.SQL(text).format(sql.Identifier(schema, table))


def _column(name: str, kind: Kind) -> Composed:
    from psycopg import sql

    return sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(cast("LiteralString", _TYPES[kind])))


@contextmanager
def _open(settings: dict[str, Any], _place: Place) -> Generator[PostgresSession]:
    import psycopg

    try:
        with psycopg.connect(**_arguments(settings)) as connection:
            connection.execute("SET TIME ZONE 'UTC'")
            yield PostgresSession(connection)
    except psycopg.Error as error:
        raise _explained(error) from error


def _arguments(settings: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "host": settings.get("host") or settings.get("hostname"),
        "port": settings.get("port") or 5432,
        "dbname": settings.get("database"),
        "user": settings.get("username") or settings.get("user"),
        "password": settings.get("password"),
        "sslmode": settings.get("sslmode") or "prefer",
    }
    if not arguments["host"] or not arguments["dbname"]:
        raise SetupError("The PostgreSQL warehouse needs a host and a database.")
    set_ones = {key: str(value) for key, value in arguments.items() if value not in (None, "")}
    return {**set_ones, **_CONNECTION}


def _explained(error: psycopg.Error) -> SetupError | Unavailable:
    text = " ".join(str(error).split())[:500]
    state = error.sqlstate or ""
    if state.startswith(_OWNER_MUST_ACT) or (not state and any(word in text for word in _WORDS)):
        return SetupError(f"PostgreSQL refused: {text}")
    return Unavailable(f"PostgreSQL does not answer: {text}", retry_after=5.0)


def _check(settings: dict[str, Any], place: Place) -> None:
    with _open(settings, place) as session:
        session.columns(["public"])


def _capabilities() -> Capabilities:
    from headwater.warehouse.tables import Capabilities

    return Capabilities(identifier_bytes=63, columns=1_400, upsert_columns=380, row_bytes=7_000, nul=False)


definition = EngineDefinition(
    name="Postgres",
    description="A PostgreSQL database, or another that speaks its protocol.",
    fields=(
        Field(key="host", label="Host", description="Name or address of the server.", required=True),
        Field(key="port", label="Port", description="Port of the server.", type="number", default=5432),
        Field(key="database", label="Database", description="The database to load into.", required=True),
        Field(
            key="username",
            label="User",
            description="A user that may create schemas in the database.",
            required=True,
        ),
        Field(key="password", label="Password", description="The user's password.", type="password"),
        Field(
            key="sslmode",
            label="TLS",
            description="How the connection is encrypted.",
            type="select",
            default="prefer",
            choices=("disable", "prefer", "require", "verify-ca", "verify-full"),
        ),
    ),
    capabilities=_capabilities,
    open=_open,
    check=_check,
)
