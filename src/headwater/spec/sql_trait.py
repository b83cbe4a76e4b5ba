"""SQL traits: a query that runs on a schedule, whose rows become traits (contract: profiles-governance 3.5).

Each row is about the profile that its key column names; every other column is a trait of the same name. Only rows that
are new or changed since the last run are told, as identify calls, or as group calls when the key is `group_id`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

KeyColumn = Literal["user_id", "email", "anonymous_id", "group_id"]
Cell = str | int | float | None
Discard = Literal["null_key", "key_too_long", "duplicate_key", "too_large"]

SQL_TRAITS: Final = "sql-traits"
"""The kind of the source that tells a space of its SQL traits. That space takes its events, and no other does."""

MAX_COLUMNS: Final = 25
MAX_RECORD_BYTES: Final = 16 * 1024
"""A row whose key and traits come to this, in bytes of JSON, is discarded."""

DEFAULT_MINUTES: Final = 720

DISCARDS: Final[dict[Discard, str]] = {
    "null_key": "The key is null or empty.",
    "key_too_long": "The key is longer than 500 characters, or holds a NUL.",
    "duplicate_key": "An earlier row has the same key; that one was taken.",
    "too_large": "The row comes to 16 KB or more.",
}
"""Why a row is left out."""


class SqlRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run came to.

    Of `rows` that the query gave, `changed` were told, and `discarded` left out by reason. `vanished` rows were there
    in the run before. With an `error` nothing more was told than is counted here. Moments are in milliseconds.
    """

    started_at: int
    ended_at: int
    rows: int = 0
    changed: int = 0
    vanished: int = 0
    discarded: dict[str, int] = {}
    error: str = ""


class SqlTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query and when it runs. `key` never changes. It is run at `due_at` or soon after, unless it is disabled.

    `created_by` and `updated_by` name the token or person.
    """

    id: str
    space_id: str
    name: str
    sql: str
    key: KeyColumn
    every_minutes: int = DEFAULT_MINUTES
    enabled: bool = True
    due_at: int = 0
    last_run: SqlRun | None = None
    created_by: str = ""
    updated_by: str = ""
    created_at: int = 0
    updated_at: int = 0
