"""How far a computation has come, and whether it may be asked of a profile yet. Pure.

A new version first has the past counted by the archive. Then two passes go over the profiles, in the order of ids:
the first takes in what was counted of each, and asks those that are one profile; the second asks those that merges
made of several, which may only be asked when all of their parts are in, and those that no event tells of. A third
asks those of whom events came meanwhile, which nobody could be asked about yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from headwater.spec.computation import Run

if TYPE_CHECKING:
    from headwater.profiles.computing.catalogue import Ready
    from headwater.profiles.computing.people import Person

TAKING_IN: Final = "a"
ASKING: Final = "b"
ASKING_AGAIN: Final = "c"


def is_live(run: Run, person: Person) -> bool:
    """May the computation be asked of this profile as events come?"""
    if run.phase == "LIVE":
        return True
    if run.phase != "COMPUTING" or not run.cursor:
        return False
    if run.cursor[0] == ASKING_AGAIN:
        return True
    done = person.id <= run.cursor[1:]
    if len(person.members) > 1:
        return done and run.cursor[0] == ASKING
    return done or run.cursor[0] == ASKING


def counts_the_past(ready: Ready) -> bool:
    """Is there anything for the archive to count?"""
    return ready.computation.history and bool(ready.compiled.events)


def asks_everybody(ready: Ready) -> bool:
    """Can a profile matter of which no event tells? After another version there are those whom that made members."""
    return ready.blank or bool(ready.traits) or ready.computation.version > 1


def begin(run: Run, now: int) -> Run:
    """What was before is being counted."""
    return msgspec.structs.replace(run, phase="BACKFILLING", cursor="", done=0, total=0, error="", updated_at=now)


def take_in(run: Run, cursor: str, done: int, now: int) -> Run:
    """The first pass has come to this profile; before the first, `cursor` is empty."""
    return msgspec.structs.replace(run, phase="COMPUTING", cursor=TAKING_IN + cursor, done=done, updated_at=now)


def ask(run: Run, cursor: str, done: int, total: int, now: int) -> Run:
    """The second pass has come to this profile."""
    return msgspec.structs.replace(
        run, phase="COMPUTING", cursor=ASKING + cursor, done=done, total=total, updated_at=now
    )


def ask_again(run: Run, cursor: str, now: int) -> Run:
    """The third pass has come to this profile."""
    return msgspec.structs.replace(run, phase="COMPUTING", cursor=ASKING_AGAIN + cursor, updated_at=now)


def live(run: Run, now: int) -> Run:
    """Whatever comes is asked at once from now on."""
    return msgspec.structs.replace(run, phase="LIVE", cursor="", done=run.total, live_at=now, updated_at=now)


def failed(run: Run, why: str, now: int) -> Run:
    """It cannot go on."""
    return msgspec.structs.replace(run, phase="FAILED", error=why, updated_at=now)
