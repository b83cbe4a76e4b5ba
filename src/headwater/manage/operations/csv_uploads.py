"""Files of people that are uploaded to a space: each row becomes an identify call (profiles-governance 4.8).

Headwater's own. Whoever uploads says who people are, so it takes what it takes to change profiles.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import Chunks, operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import invalid
from headwater.manage.uploading import upload
from headwater.spec.csv_upload import DISCARDS, MAX_BYTES, CsvUpload
from headwater.spec.timestamps import format_moment
from headwater.store import csv_uploads

_PATH = "/headwater/spaces/{spaceId}/csv-uploads"
FileName = Annotated[str, Meta(min_length=1, max_length=255, description="The file's name, which ends in .csv.")]


class LeftOut(Shape, frozen=True, kw_only=True):
    """Rows that were left out for a reason."""

    reason: str
    meaning: str
    rows: int


class FlawShape(Shape, frozen=True, kw_only=True):
    """Something that is wrong. `row` counts as a spreadsheet does, from the header on; 0 is the file as a whole."""

    row: int
    column: str
    message: str


class CsvUploadShape(Shape, frozen=True, kw_only=True):
    """A file, and what came of it.

    `state` is taking, taken, refused, failed (what became of the log or the store is in `flaws`) or interrupted. Of
    `rows` below the header, `taken` were told. `flaws` are the first twenty things that are wrong with it.
    """

    id: str
    space_id: str
    name: str
    size: int
    state: str
    rows: int
    taken: int
    left_out: list[LeftOut]
    flaws: list[FlawShape]
    created_by: str
    created_at: str
    ended_at: str | None


class CreateCsvUpload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file of people, as text in UTF-8."""

    space_id: SpaceId
    name: FileName = "people.csv"


class CsvUploadAnswer(Shape, frozen=True, kw_only=True):
    """A file, and what came of it."""

    csv_upload: CsvUploadShape


class ListCsvUploads(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId


class ListCsvUploadsAnswer(Shape, frozen=True, kw_only=True):
    """The files of the last 30 days, newest first, 200 of them at most."""

    csv_uploads: list[CsvUploadShape]


@operation("POST", _PATH, scope="profiles:write", status=201, tag="CSV Uploads", takes="text/csv", most_bytes=MAX_BYTES)
async def create_csv_upload(desk: Desk, request: CreateCsvUpload, body: Chunks) -> CsvUploadAnswer:
    """Upload a CSV file of people to a space: it is checked as a whole, then each row is told as an identify call."""
    space = find(await desk.workspace(), request.space_id)
    if not request.name.lower().endswith(".csv"):
        raise invalid("name", f'"{request.name[:100]}" is no .csv file. Save it as CSV in UTF-8.')
    return CsvUploadAnswer(csv_upload=_show(await upload(desk, space, request.name, body)))


@operation("GET", _PATH, scope="profiles:read", tag="CSV Uploads")
async def list_csv_uploads(desk: Desk, request: ListCsvUploads) -> ListCsvUploadsAnswer:
    """List the CSV files that were uploaded to a space in the last 30 days, and what came of them."""
    space = find(await desk.workspace(), request.space_id)
    found = await desk.store.read(lambda connection: csv_uploads.of_space(connection, space.id, desk.now))
    return ListCsvUploadsAnswer(csv_uploads=[_show(one) for one in found])


def _show(one: CsvUpload) -> CsvUploadShape:
    return CsvUploadShape(
        id=one.id,
        space_id=one.space_id,
        name=one.name,
        size=one.size,
        state=one.state,
        rows=one.rows,
        taken=one.taken,
        left_out=[
            LeftOut(reason=reason, meaning=meaning, rows=one.discarded[reason])
            for reason, meaning in DISCARDS.items()
            if reason in one.discarded
        ],
        flaws=[FlawShape(row=flaw.row, column=flaw.column, message=flaw.message) for flaw in one.flaws],
        created_by=one.created_by,
        created_at=format_moment(one.created_at),
        ended_at=format_moment(one.ended_at) if one.ended_at else None,
    )
