"""Files of people that were uploaded, one at a time in each space, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.spec.csv_upload import CSV_UPLOADS, KEPT_DAYS, MAX_LISTED, CsvUpload
from headwater.spec.typed import converter
from headwater.spec.workspace import Source
from headwater.store import leases
from headwater.store.own_sources import own_source
from headwater.store.schema import csv_uploads
from headwater.store.schema import leases as held

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KEPT_MS: Final = KEPT_DAYS * 86_400_000


def lease(space_id: str) -> str:
    """The name of the lease, held by the upload's id, under which a file is told to a space."""
    return f"csv-upload {space_id}"


def of_space(connection: Connection, space_id: str, now: int) -> list[CsvUpload]:
    """The newest uploads of the last 30 days, newest first. One that nobody goes on with is shown as interrupted."""
    mine = sa.select(csv_uploads).where(csv_uploads.c.space_id == space_id, csv_uploads.c.created_at > now - _KEPT_MS)
    newest = mine.order_by(csv_uploads.c.created_at.desc(), csv_uploads.c.id).limit(MAX_LISTED)
    found = [_read(row) for row in connection.execute(newest).mappings()]
    if all(one.state != "taking" for one in found):
        return found
    at = leases.clock(connection)
    query = sa.select(held.c.holder).where(held.c.name == lease(space_id), held.c.held_until > at)
    working = connection.execute(query).scalar()
    return [
        msgspec.structs.replace(one, state="interrupted") if one.state == "taking" and one.id != working else one
        for one in found
    ]


def keep(connection: Connection, upload: CsvUpload) -> None:
    """Keep an upload as it is now, and forget those of this space that are too old."""
    mine = csv_uploads.c.space_id == upload.space_id
    old = csv_uploads.c.created_at <= upload.created_at - _KEPT_MS
    connection.execute(csv_uploads.delete().where(sa.or_(csv_uploads.c.id == upload.id, sa.and_(mine, old))))
    connection.execute(csv_uploads.insert().values(**_columns(upload)))


def taken_before(connection: Connection, space_id: str, digest: str, since: int) -> CsvUpload | None:
    """The upload by which the space was told the same file to its end later than a moment (ms)."""
    query = sa.select(csv_uploads).where(
        csv_uploads.c.space_id == space_id,
        csv_uploads.c.digest == digest,
        csv_uploads.c.state == "taken",
        csv_uploads.c.ended_at > since,
    )
    row = connection.execute(query.order_by(csv_uploads.c.ended_at.desc()).limit(1)).mappings().first()
    return None if row is None else _read(row)


def source_of(connection: Connection, space_id: str) -> Source:
    """The source by which a space is told of its uploads; made when it is first asked for."""
    return own_source(connection, space_id, kind=CSV_UPLOADS, slug="csv_uploads", name="CSV uploads")


def _columns(upload: CsvUpload) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(upload, name)) for name in upload.__struct_fields__}


def _read(row: Any) -> CsvUpload:
    names = zip(CsvUpload.__struct_fields__, CsvUpload.__struct_encode_fields__, strict=True)
    return _as_upload({wire: row[name] for name, wire in names})


_as_upload = converter(CsvUpload)
