"""What a hundred live audiences cost the fold of events, beside the same fold without any.

Everything is real but the log, which is in memory: profiles in a store, states and standings written as they change,
calls for those who enter and leave. Half of the audiences count events in windows, a fifth follow traits, the rest are
funnels, sums, and audiences of audiences. Time is processor time of the one process; `HEADWATER_BENCH_EVENTS` says how
many events there are.
"""

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.report import report
from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.stage import Stage
from headwater.profiles.loop import Folding
from headwater.spec.computation import Computation, Connection, default_calls
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.graph import Cause, Changes, Link, NewProfile, make_id
from headwater.spec.settings import ProfilesSettings
from headwater.spec.timestamps import format_moment
from headwater.store import Store, computations, graph
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

EVENTS = int(os.environ.get("HEADWATER_BENCH_EVENTS", "40000"))
PEOPLE = 5_000
NAMES = [f"Event {number}" for number in range(20)]
CAUSE = Cause("m", "track", "E", "s", 1)
ENCODE = msgspec.json.Encoder().encode


def queries() -> list[str]:
    """A hundred definitions."""
    made = [
        f"event('{NAMES[number % 20]}').where(property('total') >= {number})"
        f".within({1 + number % 14} days).count() >= 2"
        for number in range(50)
    ]
    made += [f"trait('plan') = 'p{number % 5}' AND trait('seats') > {number}" for number in range(20)]
    made += [
        f"event('{name}').where(NOT event('{NAMES[0]}').within(parent: 1 day).count() >= 1).within(7 days).count() >= 2"
        for name in NAMES[1:11]
    ]
    made += [f"event('{name}').within(30 days).sum(property('total')) >= 500" for name in NAMES[:10]]
    return made + [f"trait('a{number}') = 'true' AND trait('a{number + 1}') = 'true'" for number in range(10)]


def make_records(now: int) -> list[Record]:
    """Events of the people, one in twenty of them an identify call."""
    chance = random.Random(1)
    made: list[Record] = []
    for number in range(EVENTS):
        person = chance.randrange(PEOPLE)
        at = format_moment(now - chance.randrange(20 * 86_400_000))
        context = {
            "library": {"name": "analytics.js", "version": "1"},
            "page": {"path": "/", "url": "https://x.example/"},
        }
        body = {"type": "track", "messageId": f"m{number}", "timestamp": at, "userId": f"u{person}", "context": context}
        kind, name = "track", chance.choice(NAMES)
        if number % 20:
            body |= {
                "event": name,
                "properties": {"total": chance.randrange(100), "currency": "CHF", "sku": f"s{number}"},
            }
        else:
            kind, name = "identify", ""
            body |= {"type": kind, "traits": {"plan": f"p{chance.randrange(5)}", "seats": chance.randrange(30)}}
        header = ProcessedHeader("s", kind, name, f"m{number}", f"u{person}", "", now, profile(person))
        made.append(Record(b"", encode_header(header), ENCODE(body)))
    return made


def profile(person: int) -> str:
    """A person's profile."""
    return make_id("use_", 1, str(person))


def prepare(folder: Path, audiences: int) -> Store:
    """A store with people and live audiences, which a webhook is told of."""
    store = Store.in_folder(folder)
    store.migrate()

    def fill(connection: object) -> None:
        workspaces.create_workspace(connection, slug="w", name="W")  # type: ignore[arg-type]
        space = workspaces.create_space(connection, slug="s", name="S")  # type: ignore[arg-type]
        computations.engage_source(connection, space.id)  # type: ignore[arg-type]
        told = Connection(id="c", destination_id="hook", calls=default_calls("audience", "USERS"))
        for number, query in enumerate(queries()[:audiences]):
            made = Computation(
                id="", space_id=space.id, kind="audience", key=f"a{number}", name="A", query=query, connections=(told,)
            )
            computations.create(connection, made)  # type: ignore[arg-type]
        changes = Changes()
        for person in range(PEOPLE):
            changes.profiles.append(NewProfile(profile(person), "users", 1))
            changes.links.append(Link(f"user_id:u{person}", profile(person), CAUSE))
        graph.write(connection, space.id, changes)  # type: ignore[arg-type]

    store.run(fill)
    return store


def is_live(connection: object) -> bool:
    """Have all audiences asked everybody once?"""
    made = workspaces.load(connection).computations  # type: ignore[arg-type]
    runs = computations.read_runs(connection)  # type: ignore[arg-type]
    return len(runs) == len(made) and all(run.phase == "LIVE" for run in runs.values())


async def fold(store: Store, records: list[Record], now: int) -> tuple[float, int]:
    """Processor seconds to fold all, and how many questions were asked."""
    log = MemoryLog()
    snapshot = await Snapshot.take(store)
    folding = Folding(log, store, ProfilesSettings(), 0, snapshot=snapshot, clock=lambda: now)
    await folding.open()
    while not await store.read(is_live):
        for _ in range(50):
            await folding.step(0.0)
        await folding.write()
    asked = 0
    plain = Stage._answer  # pyright: ignore[reportPrivateUsage] - counted, and asked as before

    def counting(stage: Stage, person: object) -> object:
        answer = plain(stage, person)  # type: ignore[arg-type]

        def count(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            return answer(*arguments)  # type: ignore[arg-type]

        return count

    Stage._answer = counting  # type: ignore[assignment,method-assign]
    await log.append(PROCESSED, 0, records)
    started = time.process_time()
    done = 0
    while done < len(records):
        done += await folding.step(0.0)
    await folding.write()
    seconds = time.process_time() - started
    Stage._answer = plain  # type: ignore[method-assign]
    return seconds, asked


def main() -> None:
    now = 1_790_000_000_000
    records = make_records(now)
    results: dict[int, tuple[float, int]] = {}
    for audiences in (0, 100):
        with tempfile.TemporaryDirectory() as folder:
            store = prepare(Path(folder), audiences)
            results[audiences] = asyncio.run(fold(store, records, now))
            store.close()
    bare, live = results[0][0], results[100][0]
    questions = results[100][1]
    report(
        "live_audiences",
        {
            "no audience, us an event": bare / EVENTS * 1e6,
            "100 audiences, us an event": live / EVENTS * 1e6,
            "100 audiences / none": live / bare,
            "questions an event": questions / EVENTS,
            "us a question, all that belongs to it included": (live - bare) / questions * 1e6,
            "questions a second of one core": questions / (live - bare),
        },
        target="100 audiences with 100,000 questions a second",
    )


if __name__ == "__main__":
    main()
