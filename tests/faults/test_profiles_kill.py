"""The role that folds profiles is killed at any instant, again and again, and every event counts exactly once."""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import headwater
from headwater.contracts.shape import open_kept_log, open_store
from headwater.eventlog import Record
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.known import decode, unite
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.store import Store, known, ledger

EVENTS = 4_000
KILLS = 5
PEOPLE = 50
AT = 1_700_000_000_000

ROLE = """
import asyncio, sys
from pathlib import Path
from headwater.contracts.shape import open_kept_log, open_store
from headwater.profiles.loop import profiles
from headwater.spec.settings import ProfilesSettings

async def main(folder):
    store = open_store(folder)
    settings = ProfilesSettings(chunk_events=50, write_every_seconds=0.01)
    print("up", flush=True)
    log, stopping = open_kept_log(folder), asyncio.Event()
    await profiles(log=log, store=store, settings=settings, folder=folder, stopping=stopping)

asyncio.run(main(Path(sys.argv[1])))
"""


def record(number: int) -> Record:
    header = ProcessedHeader("web", "identify", "", f"m{number}", "", "", AT + number, f"use_{number % PEOPLE}")
    body = b'{"timestamp":"2023-11-14T22:13:20.000Z","traits":{"n":%d}}' % number
    return Record(b"", encode_header(header), body)


def start(folder: Path) -> "subprocess.Popen[bytes]":
    role = subprocess.Popen(
        [sys.executable, "-c", ROLE, str(folder)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(headwater.__file__).parents[1])},
    )
    assert role.stdout is not None
    assert role.stdout.readline() == b"up\n"
    return role


def folded(store: Store) -> int:
    return store.run(lambda connection: ledger.cursor(connection, "profiles", 0))


def test_every_event_is_folded_once_however_often_the_role_is_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    store = open_store(tmp_path)
    store.migrate()

    async def fill() -> None:
        log = open_kept_log(tmp_path)
        for first in range(0, EVENTS, 500):
            await log.append(PROCESSED, 0, [record(number) for number in range(first, first + 500)])
        await log.close()

    asyncio.run(fill())
    for _ in range(KILLS):
        role = start(tmp_path)
        before = folded(store)
        while folded(store) == before and before < EVENTS:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        role.kill()
        role.wait()
    role = start(tmp_path)
    deadline = time.monotonic() + 60
    while folded(store) < EVENTS and time.monotonic() < deadline:
        time.sleep(0.02)
    role.terminate()
    role.wait()
    ids = [f"use_{number}" for number in range(PEOPLE)]
    states = store.run(lambda connection: known.states(connection, 0, ids))
    found = [unite([decode(states[id])]) for id in ids]
    assert [one.events for one in found if one is not None] == [EVENTS // PEOPLE] * PEOPLE
    assert [one.traits["n"][0].value for one in found if one] == [b"%d" % (EVENTS - PEOPLE + n) for n in range(PEOPLE)]
    store.close()
