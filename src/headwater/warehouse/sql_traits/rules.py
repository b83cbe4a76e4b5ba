"""What a query must give, which of its rows are taken, and the calls that tell of them (3.5).

Columns are told by their names: `user_id`, `email`, `anonymous_id` and `group_id` are keys, all others are traits. The
key is the one that the SQL trait names. `email` is a trait where another is the key, and with `group_id` a `user_id`
says who belongs to the company.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Any, Final

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.keys import stand_in
from headwater.spec.space import MAX_VALUE_CHARS
from headwater.spec.sql_trait import MAX_COLUMNS, MAX_RECORD_BYTES, Cell, Discard, KeyColumn, SqlTrait

MAX_NAME_CHARS: Final = 255
_FOREIGN: Final[dict[KeyColumn, tuple[str, ...]]] = {
    "user_id": ("anonymous_id", "group_id"),
    "email": ("user_id", "anonymous_id", "group_id"),
    "anonymous_id": ("user_id", "group_id"),
    "group_id": ("anonymous_id",),
}
"""Columns that a query with this key must not have."""

_TYPE: Final = re.compile(
    r"(VARCHAR|UUID|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|FLOAT|DOUBLE|DECIMAL|BOOLEAN|DATE|TIME|TIMESTAMP"
    r'|TIMESTAMP_(S|MS|NS)|"NULL")(?![A-Z_])[^\[]*'
)
"""Types of DuckDB whose values are text or numbers, or are told as such."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Columns(msgspec.Struct, frozen=True):
    """Where the parts of a row stand. `link` is the place of the user of a company, if the query has one."""

    key: int
    link: int | None
    traits: tuple[tuple[str, int], ...]

    @property
    def names(self) -> list[str]:
        """The names of the traits."""
        return [name for name, _ in self.traits]


class Row(msgspec.Struct, frozen=True):
    """A row that is taken. `traits` is a JSON object, always the same for the same values; `hash` is of that."""

    key: str
    link: str
    traits: bytes
    hash: bytes


def read_columns(names: Sequence[str], types: Sequence[str], key: KeyColumn) -> Columns:
    """Where the parts of a row stand. Raises SenderError with what is wrong with the columns."""
    if len(names) > MAX_COLUMNS:
        raise _wrong(f"The query gives {len(names)} columns; at most {MAX_COLUMNS} can be taken.")
    for name, type in zip(names, types, strict=True):
        if names.count(name) > 1:
            raise _wrong(f'The column "{name[:100]}" is there twice.')
        if not name or len(name) > MAX_NAME_CHARS:
            raise _wrong(f"A column must have a name of at most {MAX_NAME_CHARS} characters.")
        if name in _FOREIGN[key]:
            raise _wrong(f'With the key {key} there must be no column "{name}".')
        if _TYPE.fullmatch(type) is None and not (type.startswith("ENUM(") and type.endswith(")")):
            raise _wrong(f'The column "{name}" is {type[:100]}, and a trait is text or a number; cast it to VARCHAR.')
    if key not in names:
        raise _wrong(f'There must be a column "{key}", since that is the key.')
    link = names.index("user_id") if key == "group_id" and "user_id" in names else None
    at = names.index(key)
    traits = tuple((name, place) for place, name in enumerate(names) if place not in (at, link))
    if not traits:
        raise _wrong("There must be a column beside the key: each is a trait.")
    return Columns(at, link, traits)


def read_row(cells: Sequence[Cell], columns: Columns) -> Row | Discard:
    """A row, or why it is left out."""
    key = _identifier(cells[columns.key])
    if not key:
        return "null_key"
    link = "" if columns.link is None else _identifier(cells[columns.link])
    if any(len(one) > MAX_VALUE_CHARS or "\0" in one for one in (key, link)):
        return "key_too_long"
    traits = _encode({name: cells[place] for name, place in columns.traits})
    if len(traits) + len(key.encode()) + len(link.encode()) >= MAX_RECORD_BYTES:
        return "too_large"
    return Row(key, link, traits, blake2b(traits, digest_size=16).digest())


def vanished(key: str, link: str, names: Sequence[str]) -> Row:
    """What is told of a row that is not there any more: these traits are null."""
    traits = _encode(dict.fromkeys(names))
    return Row(key, link, traits, b"")


def call(trait: SqlTrait, row: Row, *, sequence: int) -> dict[str, Any]:
    """The call that tells of a row.

    Its messageId is the same for the same row told in the same `sequence`, and no other's.
    """
    told = "\0".join((trait.id, str(sequence), row.key, row.link)).encode() + b"\0" + (row.hash or b"-" + row.traits)
    body: dict[str, Any] = {"messageId": f"sql_{sha256(told).hexdigest()[:40]}", "traits": msgspec.Raw(row.traits)}
    if trait.key == "group_id":
        return body | {"type": "group", "groupId": row.key} | _about(row.link, f"group_id:{row.key}")
    body["type"] = "identify"
    match trait.key:
        case "user_id":
            return body | {"userId": row.key}
        case "anonymous_id":
            return body | {"anonymousId": row.key}
        case "email":
            known = {"id": row.key, "type": "email", "collection": "users", "encoding": "none"}
            traits = {**msgspec.json.decode(row.traits), "email": row.key}
            body |= {"traits": traits, "context": {"externalIds": [known]}}
            return body | _about("", f"email:{row.key}")


def context(trait: SqlTrait) -> dict[str, Any]:
    """What every call of an SQL trait says of where it comes from (3.10)."""
    return {
        "personas": {
            "computation_class": "trait",
            "computation_id": trait.id,
            "namespace": trait.space_id,
            "space_id": trait.space_id,
        }
    }


def _about(user_id: str, otherwise: str) -> dict[str, str]:
    return {"userId": user_id} if user_id else {"anonymousId": stand_in(otherwise)}


def _identifier(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def _wrong(sentence: str) -> SenderError:
    return SenderError(sentence, code="query_refused", field="sql")
