"""What needs somebody's attention, told from the figures of the overview. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from headwater.manage.disk import Disk
from headwater.spec.outcome import Step

RECENT_MINUTES: Final = 5
"""Of the last minutes, so many tell whether a destination works."""

LATE_SECONDS: Final = 60.0
_AWAY: Final = frozenset({"RETRY", "UNREACHABLE", "TIMEOUT", "CIRCUIT_OPEN"})

Severity = Literal["error", "warning"]
Kind = Literal["destination", "source", "warehouse", "reader", "store", "log", "disk", "ledger"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look after: what it is and what to do, a sentence each; `id` is that of the resource, or empty."""

    severity: Severity
    kind: Kind
    id: str
    what: str
    todo: str


class DestinationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A destination: `recent` are the counts of the last minutes by step and reason, `pending` what waits in all.

    `refused` says that it was paused because it refused its credentials.
    """

    id: str
    name: str
    enabled: bool = True
    paused: bool = False
    refused: bool = False
    pending: int = 0
    recent: dict[tuple[str, str], int] = {}


class SourceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A source, and how many events came for it in the last minutes."""

    id: str
    name: str
    enabled: bool
    received: int


class WarehouseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A warehouse: the state of its last load that ended (empty: none yet), and what that load said."""

    id: str
    name: str
    enabled: bool = True
    state: str = ""
    said: str = ""


class ReaderFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A reader of the log: how many records it has not dealt with, and the age of the oldest of them in seconds."""

    id: str
    name: str
    records: int
    seconds: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What problems are told from. `parts` are the health's, `open` is by how many events the books do not balance."""

    destinations: Sequence[DestinationFigures] = ()
    sources: Sequence[SourceFigures] = ()
    warehouses: Sequence[WarehouseFigures] = ()
    readers: Sequence[ReaderFigures] = ()
    parts: dict[str, str] = {}
    disk: Disk | None = None
    open: int = 0


def problems_of(figures: Figures) -> list[Problem]:
    """What needs attention, errors first."""
    found = [
        *_parts(figures.parts),
        *_disk(figures.disk),
        *_ledger(figures.open),
        *(problem for one in figures.destinations for problem in _destination(one)),
        *(problem for one in figures.warehouses for problem in _warehouse(one)),
        *(problem for one in figures.readers for problem in _reader(one)),
        *(problem for one in figures.sources for problem in _source(one)),
    ]
    return sorted(found, key=lambda problem: problem.severity != "error")


def _parts(parts: dict[str, str]) -> Iterable[Problem]:
    for part, state in parts.items():
        if state != "ok":
            yield Problem(
                severity="error",
                kind="store" if part == "store" else "log",
                id="",
                what=f"The {part} is {state}.",
                todo=f"Look into Headwater's output for what the {part} said; it is tried again all the time.",
            )


def _disk(disk: Disk | None) -> Iterable[Problem]:
    if disk is not None and disk.short:
        yield Problem(
            severity="error",
            kind="disk",
            id="",
            what=f"The disk is nearly full: {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB are free.",
            todo="Make room, or lower log.retention_hours; on a full disk new events are refused.",
        )


def _ledger(open_events: int) -> Iterable[Problem]:
    if open_events:
        yield Problem(
            severity="error",
            kind="ledger",
            id="",
            what=f"The books do not balance: {open_events} events have no known outcome, or one too many.",
            todo="This is a bug of Headwater; report it with the ledger of the sources and destinations concerned.",
        )


def _destination(one: DestinationFigures) -> Iterable[Problem]:
    if not one.enabled:
        return
    if one.paused:
        if one.refused:
            yield _about(
                one,
                "error",
                f"{one.name} refused its credentials and was paused; {_events(one.pending)} wait for it.",
                "Correct its credentials, then resume it.",
            )
        return
    good = one.recent.get((Step.DELIVERED, ""), 0)
    failed = sum(events for (step, _), events in one.recent.items() if step == Step.FAILED_DELIVERY)
    # What began to wait is counted up, and down again when it ends: of the last minutes the sum may be below zero.
    away = max(0, sum(events for (step, why), events in one.recent.items() if step == Step.PENDING and why in _AWAY))
    waiting = sum(events for (step, _), events in one.recent.items() if step == Step.PENDING)
    if failed + away > good:
        yield _failing(one, failed, away, good)
    elif waiting > 0 and waiting >= good and one.pending > waiting:
        yield _about(
            one,
            "warning",
            f"{one.name} is slower than its events arrive; {_events(one.pending)} wait for it.",
            "Nothing is lost; raise its limits, or send it fewer events, if this goes on.",
        )


def _failing(one: DestinationFigures, failed: int, away: int, good: int) -> Problem:
    reasons = {
        reason: events
        for (step, reason), events in one.recent.items()
        if step == Step.FAILED_DELIVERY or (step == Step.PENDING and reason in _AWAY)
    }
    most = max(reasons, key=lambda reason: reasons[reason])
    outcome = f"{failed} failed and {away} wait to be tried again, {good} were delivered"
    todo = (
        "Look at a failed delivery for what the destination answered, correct its settings, and have them tried again."
        if failed > away
        else "Nothing is lost while it is tried again; look whether the destination is up and its address right."
    )
    return _about(
        one,
        "error",
        f"Most deliveries to {one.name} do not succeed: in the last minutes {outcome} (mostly {most}).",
        todo,
    )


def _about(one: DestinationFigures, severity: Severity, what: str, todo: str) -> Problem:
    return Problem(severity=severity, kind="destination", id=one.id, what=what, todo=todo)


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"


def _warehouse(one: WarehouseFigures) -> Iterable[Problem]:
    if one.enabled and one.state == "failure":
        yield Problem(
            severity="error",
            kind="warehouse",
            id=one.id,
            what=f"The last load of the warehouse {one.name} failed{': ' + one.said if one.said else '.'}",
            todo="Correct what it says; the same events are loaded again by themselves.",
        )


def _reader(one: ReaderFigures) -> Iterable[Problem]:
    if one.seconds is not None and one.seconds > LATE_SECONDS:
        yield Problem(
            severity="warning",
            kind="reader",
            id=one.id,
            what=f"{one.name} is {one.seconds:.0f} s behind: {one.records} records of the log wait for it.",
            todo="Look whether its process runs and the machine has time for it; nothing is lost meanwhile.",
        )


def _source(one: SourceFigures) -> Iterable[Problem]:
    if not one.enabled and one.received:
        yield Problem(
            severity="warning",
            kind="source",
            id=one.id,
            what=f"The source {one.name} is switched off, but {_events(one.received)} came for it in the last minutes.",
            todo="Switch it on, or stop whoever sends with its write key.",
        )
