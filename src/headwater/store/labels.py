"""The labels that the workspace knows. Which ones a source has stands with the source (public-api, Labels)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.store.schema import labels
from headwater.store.workspace import now

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Label(msgspec.Struct, frozen=True):
    """A label: a key, such as environment, and one of its values."""

    key: str
    value: str
    description: str = ""


def every(connection: Connection) -> list[Label]:
    """All labels, by key and value."""
    query = sa.select(labels).order_by(labels.c.key, labels.c.value)
    return [Label(row["key"], row["value"], row["description"]) for row in connection.execute(query).mappings()]


def create(connection: Connection, label: Label) -> None:
    """Make a label. Raises SenderError 409 for one that is there already."""
    if _known(connection, label):
        raise SenderError("There is this label already.", code="conflict", status=409, field="label")
    _insert(connection, label)


def learn(connection: Connection, found: Iterable[Label]) -> None:
    """Make those of the labels that are not there yet, since a resource has them."""
    for one in found:
        if not _known(connection, one):
            _insert(connection, one)


def delete(connection: Connection, key: str, value: str) -> None:
    """Remove a label. Raises SenderError 404."""
    gone = connection.execute(labels.delete().where(labels.c.key == key, labels.c.value == value))
    if gone.rowcount == 0:
        raise SenderError("There is no such label.", code="not_found", status=404)


def _known(connection: Connection, label: Label) -> bool:
    query = sa.select(labels.c.key).where(labels.c.key == label.key, labels.c.value == label.value)
    return connection.execute(query).first() is not None


def _insert(connection: Connection, label: Label) -> None:
    connection.execute(labels.insert().values(**msgspec.structs.asdict(label), created_at=now()))
