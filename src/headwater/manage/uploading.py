"""Taking a file of people: once it is here and checked to its end, its rows are told to the space, one file at a time.

The file lies in the data folder while it is worked on, without a name, so that the system takes it away however the
process ends. What was told of it before that is told again when it is uploaded again, under the same messageIds.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing, suppress
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from headwater.eventlog.streams import COLLECTED
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import Chunks
from headwater.manage.problems import Problem, Refused
from headwater.profiles.batches import batches
from headwater.profiles.uploads.rules import CONTEXT, Call, Check, Columns, calls
from headwater.spec.csv_upload import DISCARDS, MAX_BYTES, MAX_FLAWS, CsvUpload, Flaw
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable
from headwater.spec.space import Space
from headwater.spec.timestamps import format_moment
from headwater.store import audit, csv_uploads, leases
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KIND: Final = "CSV_UPLOAD"
_LEASE_SECONDS: Final = 60.0
_WRITTEN_AT_ONCE: Final = 1_000_000
_LOOKED_AT_ONCE: Final = 5_000
_TOLD_AT_ONCE: Final = 500

Found = Generator[tuple[int, Call]]


async def upload(desk: Desk, space: Space, name: str, body: Chunks) -> CsvUpload:
    """Take a file and tell its rows; returns when every call is durable.

    Raises Refused with what is wrong with the file, SenderError 409 while another is taken or for one that was taken
    lately, and Unavailable when it must be uploaded again.
    """
    wanted = CsvUpload(
        id=f"csv_{workspaces.new_id()}",
        space_id=space.id,
        name=name,
        size=0,
        digest="",
        state="taking",
        created_by=desk.caller.actor,
        created_at=desk.now,
    )
    async with _Turn(desk, wanted) as turn:
        try:
            with tempfile.TemporaryFile(dir=desk.folder) as file:
                begun = await _spool(desk, file, body, wanted, turn)
                return await _take(desk, space, file, begun, turn)
        except OSError as error:
            raise Unavailable(f"The file cannot be kept while it is read: {error.strerror}.") from error


async def _spool(desk: Desk, file: BinaryIO, body: Chunks, wanted: CsvUpload, turn: _Turn) -> CsvUpload:
    digest, held, size = sha256(), bytearray(), 0

    def write(some: bytes) -> None:
        # What is left of the disk below that is for events.
        if shutil.disk_usage(desk.folder).free < desk.settings.log.min_free_bytes + len(some):
            raise Unavailable("There is too little disk free for the file.")
        digest.update(some)
        file.write(some)

    async for piece in body:
        size += len(piece)
        if size > MAX_BYTES:
            said = f"A file may have {MAX_BYTES // 1_000_000} MB, and this one has more. Split it."
            raise SenderError(said, code="payload_too_large", status=413)
        held += piece
        await turn.keep()
        if len(held) >= _WRITTEN_AT_ONCE:
            await asyncio.to_thread(write, bytes(held))
            held.clear()
    await asyncio.to_thread(write, bytes(held))
    return msgspec.structs.replace(wanted, size=size, digest=digest.hexdigest())


async def _take(desk: Desk, space: Space, file: BinaryIO, upload: CsvUpload, turn: _Turn) -> CsvUpload:
    await _refuse_twice(desk, upload)
    check = Check(file, space)
    while await asyncio.to_thread(check.step, _LOOKED_AT_ONCE):
        await turn.keep()
    upload = msgspec.structs.replace(upload, rows=check.rows, flaws=check.flaws)
    if check.columns is None or check.flaws:
        refused = msgspec.structs.replace(upload, state="refused", ended_at=workspaces.now())
        await desk.store.write(lambda connection: csv_uploads.keep(connection, refused))
        raise Refused([_problem(flaw) for flaw in check.flaws])
    source_id = await _begin(desk, upload)
    telling = _Telling(desk, upload, source_id, turn)
    try:
        await telling.tell(file, check.columns, space)
    except (HeadwaterError, OSError) as error:
        said = f"It broke off: {error} Upload the same file again; no row is told twice."
        with suppress(Unavailable):
            await telling.end(said)
        raise Unavailable(said) from error
    return await telling.end()


async def _refuse_twice(desk: Desk, upload: CsvUpload) -> None:
    """Its calls would be taken for repetitions, so that nothing would come of it."""
    known = desk.settings.pipeline.dedup_window_hours * 3_600_000
    before = await desk.store.read(
        lambda connection: csv_uploads.taken_before(connection, upload.space_id, upload.digest, desk.now - known)
    )
    if before is not None:
        said = f'The same file was taken at {format_moment(before.ended_at)} as "{before.name}".'
        again = f"It can be taken again from {format_moment(before.ended_at + known)} on."
        raise SenderError(f"{said} {again}", code="conflict", status=409)


async def _begin(desk: Desk, upload: CsvUpload) -> str:
    """Keep that it begins; returns the id of the source to tell by, which every role of this machine knows by then."""
    locked = (await desk.workspace()).locked

    def work(connection: Connection) -> tuple[str, list[audit.Entry]]:
        source = csv_uploads.source_of(connection, upload.space_id)
        if locked or not source.enabled:
            said = f'The source "{source.name}" is disabled, or the workspace is locked.'
            raise SenderError(said, code="conflict", status=409)
        csv_uploads.keep(connection, upload)
        return source.id, [note(desk, "Profiles Uploaded", KIND, upload.id, upload.name)]

    return await change(desk, work)


class _Telling:
    """The rows of one file on their way, and what became of them."""

    def __init__(self, desk: Desk, upload: CsvUpload, source_id: str, turn: _Turn) -> None:
        self._desk = desk
        self._upload = upload
        self._source_id = source_id
        self._turn = turn
        self._taken = 0
        self._discarded: Counter[str] = Counter()
        self._flaws: list[Flaw] = []

    async def tell(self, file: BinaryIO, columns: Columns, space: Space) -> None:
        log, partitions = self._desk.log, len(self._desk.log.partitions(COLLECTED))
        with closing(calls(file, columns, space=space, digest=self._upload.digest)) as found:
            while (some := await asyncio.to_thread(self._some, found)) is not None:
                await self._turn.keep()
                records = await asyncio.to_thread(
                    batches, some, source_id=self._source_id, context=CONTEXT, partitions=partitions
                )
                for partition, mine in records.items():
                    await log.append(COLLECTED, partition, mine)
                self._taken += len(some)

    async def end(self, error: str = "") -> CsvUpload:
        ended = msgspec.structs.replace(
            self._upload,
            state="failed" if error else "taken",
            taken=self._taken,
            discarded=dict(self._discarded),
            flaws=[*([Flaw(error)] if error else []), *self._flaws],
            ended_at=workspaces.now(),
        )
        await self._desk.store.write(lambda connection: csv_uploads.keep(connection, ended))
        return ended

    def _some(self, found: Found) -> list[dict[str, Any]] | None:
        """The calls of the next rows; None at the end."""
        rows = list(islice(found, _TOLD_AT_ONCE))
        made: list[dict[str, Any]] = []
        for number, call in rows:
            if isinstance(call, dict):
                made.append(call)
                continue
            self._discarded[call] += 1
            if len(self._flaws) < MAX_FLAWS:
                self._flaws.append(Flaw(f"The row was left out. {DISCARDS[call]}", number))
        return made if rows else None


class _Turn:
    """One file at a time in each space: a lease, kept for as long as it is worked on."""

    def __init__(self, desk: Desk, upload: CsvUpload) -> None:
        self._desk = desk
        self._name = csv_uploads.lease(upload.space_id)
        self._holder = upload.id
        self._kept = 0.0

    async def __aenter__(self) -> _Turn:
        if not await self._ask(leases.claim):
            said = "Another file is being taken for this space. Upload this one when it is done."
            raise SenderError(said, code="conflict", status=409)
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(Unavailable):  # then it ends by itself
            await self._desk.store.write(lambda connection: leases.release(connection, self._name, self._holder))

    async def keep(self) -> None:
        """Go on. Raises Unavailable when the house stops, or somebody else took the turn."""
        if self._desk.stopping.is_set():
            raise Unavailable("The house stops.")
        if time.monotonic() - self._kept > _LEASE_SECONDS / 4 and not await self._ask(leases.renew):
            raise Unavailable("It took so long that another file was begun.")

    async def _ask(self, verb: Any) -> bool:
        self._kept = time.monotonic()
        return await self._desk.store.write(
            lambda connection: verb(connection, self._name, self._holder, _LEASE_SECONDS)
        )


def sentence(flaw: Flaw) -> str:
    """What is wrong, with its place."""
    where = ", ".join(
        said for said in (f"row {flaw.row}" if flaw.row else "", f'"{flaw.column}"' if flaw.column else "") if said
    )
    return f"{where[:1].upper()}{where[1:]}: {flaw.message}" if where else flaw.message


def _problem(flaw: Flaw) -> Problem:
    return Problem("input-validation", sentence(flaw), data={"row": flaw.row, "column": flaw.column})
