"""The move itself, step by step; each step may be repeated."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from headwater.app.engines import is_kafka
from headwater.app.house import MOVED, House, open_house, open_log, open_store
from headwater.app.moving import records, rows
from headwater.app.moving.drain import drain, unread
from headwater.app.moving.records import Stretch
from headwater.app.waiting import place_of, understood
from headwater.eventlog import EventLog
from headwater.eventlog.shifted import shifted
from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings
from headwater.store import Store, moved
from headwater.warehouse.files import LocalFiles, open_files
from headwater.warehouse.files import place_of as archive_of

Stage = Literal["draining", "log", "archive", "store"]
Tell = Callable[[Stage, int, int], None]
"""Told how much of a stage is done, and of how much."""

_PLAN: Final = "moving.json"
_QUICK: Final = 1.0


class Plan(msgspec.Struct, frozen=True):
    """What was begun: kept in the old data folder, so that an interrupted move goes on."""

    log: str
    store: str
    stretches: list[Stretch]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be moved, or was."""

    rows: dict[str, int]
    records: dict[str, int]
    unread: dict[str, int]
    archive_files: int
    cursors: int = 0


def source_settings(target: Settings, folder: Path) -> Settings:
    """The settings of the old house: those of the new one, with files in a folder. Raises SetupError without any."""
    if not (folder / "store.sqlite").exists() or not (folder / "log" / "log.sqlite").exists():
        raise SetupError(f"There is no house in {folder.absolute()}: give --from-data the data folder of the old one.")
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'log' / 'log.sqlite'}?mode=ro", uri=True)) as registry:
        (partitions,) = registry.execute("SELECT partitions FROM log").fetchone()
    replace = msgspec.structs.replace
    local = (folder / "archive").exists()
    return replace(
        target,
        data=str(folder),
        key_file="",
        log=replace(target.log, url="", partitions=partitions),
        store=replace(target.store, url=""),
        warehouse=replace(
            target.warehouse,
            archive_url="" if local else target.warehouse.archive_url,
            archive_every_seconds=_QUICK,
            load_every_seconds=_QUICK,
        ),
    )


async def look(source: Settings, target: Settings) -> Report:
    """What a move would do; nothing is changed. Raises SetupError or Unavailable where it could not begin."""
    _bring_up_to_date(source)
    async with open_house(source) as house:
        store = open_store(target)
        try:
            _check_empty(understood(lambda: rows.count(store)))
        finally:
            store.close()
        _check_partitions(house.log, target)
        if _read_plan(house) is None and _stands(target):
            async with _target_log(target, {}) as log:
                if await records.anything(log):
                    raise _not_empty()
        return await _report(house)


async def move(source: Settings, target: Settings, tell: Tell) -> Report:
    """Move a house that is stopped. Raises SetupError when the target cannot take it; nothing is moved then."""
    _bring_up_to_date(source)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(source))
        store = open_store(target)
        stack.callback(store.close)
        understood(store.migrate)
        if _is_there(house, target, store):
            _leave_note(house, target)
            return await _report(house)
        _check_empty(understood(lambda: rows.count(store)))
        most = 0

        def waiting(records: int) -> None:
            nonlocal most
            most = max(most, records)
            tell("draining", most - records, most)

        await drain(house, waiting)
        plan = await _plan(house, target)
        starts = {(each.stream, each.partition): each.first for each in plan.stretches}
        log = await stack.enter_async_context(_target_log(target, starts))
        await _copy_log(house, log, plan, tell)
        cursors = await records.copy_cursors(house.log, log)
        files = _copy_archive(house, target, tell)
        report = msgspec.structs.replace(await _report(house), cursors=cursors, archive_files=files)
        _copy_store(house, store, plan, report, tell)
        _leave_note(house, target)
        return report


def _bring_up_to_date(source: Settings) -> None:
    """The old tables must be those of this version, as at a start."""
    store = open_store(source)
    try:
        store.migrate()
    finally:
        store.close()


def _is_there(house: House, target: Settings, store: Store) -> bool:
    """Did an earlier try come to its end, and was interrupted before it could say so?"""
    plan = _read_plan(house)
    if plan is None or (plan.log, plan.store) != (_name(target), place_of(target.store.url)):
        return False
    return store.run(moved.starts, write=False) == {
        (each.stream, each.partition): each.first for each in plan.stretches
    }


def _leave_note(house: House, target: Settings) -> None:
    (house.folder / MOVED).write_text(f"{place_of(target.store.url)} and {_name(target)}\n")


async def _plan(house: House, target: Settings) -> Plan:
    """What is to be copied. What an earlier try began with stays the beginning, but the end is that of now."""
    found = await records.stretches(house.log)
    begun = _read_plan(house)
    if begun is not None and (begun.log, begun.store) == (_name(target), place_of(target.store.url)):
        firsts = {(each.stream, each.partition): each.first for each in begun.stretches}
        found = [msgspec.structs.replace(each, first=firsts[each.stream, each.partition]) for each in found]
    else:
        _check_partitions(house.log, target)
        async with _target_log(target, {}) as log:
            if await records.anything(log):
                raise _not_empty()
    plan = Plan(_name(target), place_of(target.store.url), found)
    draft = house.folder / f"{_PLAN}.new"
    draft.write_bytes(msgspec.json.encode(plan))
    draft.rename(house.folder / _PLAN)
    return plan


def _read_plan(house: House) -> Plan | None:
    try:
        return msgspec.json.decode((house.folder / _PLAN).read_bytes(), type=Plan)
    except FileNotFoundError:
        return None


async def _copy_log(house: House, log: EventLog, plan: Plan, tell: Tell) -> None:
    whole = sum(each.end - each.first for each in plan.stretches)
    done = 0

    def copied(number: int) -> None:
        nonlocal done
        done += number
        tell("log", done, whole)

    await records.copy(house.log, log, plan.stretches, copied)
    await records.check(house.log, log, plan.stretches)


def _copy_archive(house: House, target: Settings, tell: Tell) -> int:
    """Copy the archive's files where the new house has another place for them. Names hold positions, and stay."""
    place = target.warehouse.archive_url
    if house.settings.warehouse.archive_url or not place:
        return 0
    old = LocalFiles(house.folder / "archive")
    new = open_files(archive_of(target.warehouse, house.folder))
    wanted, there = old.sizes(), new.sizes()
    for number, (name, size) in enumerate(sorted(wanted.items()), 1):
        if there.get(name) != size:
            new.write(name, old.read(name))
        tell("archive", number, len(wanted))
    if missing := wanted.items() - new.sizes().items():
        raise SetupError(f"{len(missing)} files of the archive did not come over to {place}; run it again.")
    return len(wanted)


def _copy_store(house: House, store: Store, plan: Plan, report: Report, tell: Tell) -> None:
    whole = sum(report.rows.values())
    done = 0

    def copied(number: int) -> None:
        nonlocal done
        done += number
        tell("store", min(done, whole), whole)

    places = {(each.stream, each.partition): (each.first, each.end) for each in plan.stretches}
    rows.copy(house.store, store, lambda connection: moved.note(connection, places), copied)


async def _report(house: House) -> Report:
    kept: dict[str, int] = {}
    for each in await records.stretches(house.log):
        kept[each.stream] = kept.get(each.stream, 0) + each.end - each.first
    archive = house.folder / "archive"
    return Report(
        rows=rows.count(house.store),
        records=kept,
        unread=await unread(house),
        archive_files=len(LocalFiles(archive).sizes()) if archive.exists() else 0,
    )


@asynccontextmanager
async def _target_log(target: Settings, starts: dict[tuple[str, int], int]) -> AsyncGenerator[EventLog]:
    log = open_log(target)
    try:
        yield shifted(log, starts)
    finally:
        await log.close()


def _name(target: Settings) -> str:
    return place_of(target.log.url) if target.log.url else str(Path(target.data).absolute())


def _check_empty(counts: dict[str, int]) -> None:
    full = [name for name, number in counts.items() if number]
    if full:
        raise SetupError(
            f"The new store is not empty: {', '.join(full[:3])} hold rows. Give it an empty database, before any role "
            "is started with it. Nothing was moved."
        )


def _check_partitions(old: EventLog, target: Settings) -> None:
    had, has = len(old.partitions(PROCESSED)), target.log.partitions
    if has < had:
        raise SetupError(
            f"The old log has {had} partitions and the new one {has}: it needs as many at least. Set log.partitions."
        )


def _stands(target: Settings) -> bool:
    """Is there anything of the new log? Opening one makes it, which is not for a dry run to do."""
    if not is_kafka(target):
        return (Path(target.data) / "log").exists()
    from headwater.eventlog.kafka.examining import examine
    from headwater.eventlog.kafka.reach import reach

    return bool(examine(reach(target.log.url, target.log.kafka, target.log.instance)).streams)


def _not_empty() -> SetupError:
    return SetupError(
        "The new log is not empty. Give it an empty one: another prefix in --log kafka://host:9092/PREFIX. "
        "Nothing was moved."
    )
