"""What it costs to tell whose an event is, beside bare dictionary look-ups of the same two ids.

Known: every identifier was seen before, with ten thousand and with a million profiles in the store
(`HEADWATER_BENCH_PROFILES=10000000` for another number). What is remembered are those who are active, so the figures to
compare are those of as many active people; events of anybody show what the processor's caches make of it, in the bare
look-ups too. New: most events bring somebody whom nobody knows, who is read for, decided and written, in chunks as the
pipeline has them.
"""

import os
import random
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.report import report
from headwater.pipeline.graphs import StoredGraph
from headwater.pipeline.resolve import Identities
from headwater.spec.event import Event
from headwater.spec.graph import Cause, Changes, Link, NewProfile, make_id
from headwater.store import Store, graph
from headwater.store import workspace as workspaces

SLICE = 64
CHUNK = 1_024
EVENTS = 32_768
ACTIVE = 10_000
CAUSE = Cause("m", "track", "E", "s", 1)
AT = 1_700_000_000_000


def make_event(number: int, person: int, extra: dict[str, Any] | None = None) -> Event:
    body: dict[str, Any] = {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m{number}",
        "userId": f"user-{person:08}",
        "anonymousId": f"8c0a6d30-{person:08}-4ea1-9f27-b5c0e1a5a001",
        "timestamp": "2024-01-01T00:00:00.000Z",
        "properties": {"revenue": 9.5, "currency": "CHF", "orderId": f"o{number}"},
        "context": {"library": {"name": "analytics.js"}, "page": {"path": "/"}, "userAgent": "x"},
        "integrations": {},
    }
    return Event(body | (extra or {}), "s", AT + number, number, "track", f"m{number}")


def fill(store: Store, space_id: str, people: int) -> None:
    """Put people with a user id and an anonymous id each into the graph."""
    for start in range(0, people, 20_000):
        changes = Changes()
        for person in range(start, min(start + 20_000, people)):
            event = make_event(person, person)
            profile_id = make_id("use_", AT + person, str(person))  # ids grow with time, as those of people who come do
            changes.profiles.append(NewProfile(profile_id, "users", AT))
            for name, field in (("user_id", "userId"), ("anonymous_id", "anonymousId")):
                changes.links.append(Link(f"{name}:{event.body[field]}", profile_id, CAUSE))
        store.run(lambda connection, changes=changes: graph.write(connection, space_id, changes))


class Known(msgspec.Struct):
    """Microseconds an event, when its person is known."""

    active: float
    """Remembered; the events are of ten thousand of the people, chosen at random."""
    bare: float
    """Two bare look-ups of the same people."""
    anybody: float
    """Remembered; the events are of any of the people."""
    bare_anybody: float
    read: float
    """Not remembered: read from the store."""


def known(people: int) -> Known:
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        store, identities, space_id = prepare(Path(folder), remembered=4 * people)
        fill(store, space_id, people)
        chance = random.Random(1)
        active = [chance.randrange(people) for _ in range(ACTIVE)]
        few = [chance.choice(active) for _ in range(EVENTS)]
        any_of_them = [chance.randrange(people) for _ in range(EVENTS)]
        read = resolved(store, identities, make_events(active))
        warm = min(resolved(store, identities, make_events(few)) for _ in range(3))
        bare = look_ups(few)
        for start in range(0, min(people, 1_000_000), CHUNK):
            resolved(store, identities, make_events(range(start, min(start + CHUNK, people))))
        resolved(store, identities, make_events(any_of_them))
        anybody = min(resolved(store, identities, make_events(any_of_them)) for _ in range(3))
        store.close()
        return Known(warm, bare, anybody, look_ups(any_of_them), read)


def make_events(people: Iterable[int]) -> list[Event]:
    return [make_event(number, person) for number, person in enumerate(people)]


def look_ups(people: Sequence[int]) -> float:
    """Microseconds for two look-ups an event, and setting its profile: the least that can be done."""
    events = make_events(people)
    users = {event.body["userId"]: event.message_id for event in events}
    devices = {event.body["anonymousId"]: users[event.body["userId"]] for event in events}
    started = time.perf_counter()
    for event in events:
        body = event.body
        if users.get(body["userId"]) == devices.get(body["anonymousId"]):
            event.profile_id = users[body["userId"]]
    return (time.perf_counter() - started) / len(events) * 1e6


def new() -> tuple[float, float]:
    """Microseconds an event when nine of ten are of new people, and when nine of ten tie a user to a known device."""
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        store, identities, _ = prepare(Path(folder), remembered=500_000)
        events = [make_event(number, number if number % 10 else 0) for number in range(EVENTS)]
        for event in events[::2]:
            del event.body["userId"]
        fresh = resolved(store, identities, events)
        again = [make_event(number + EVENTS, number if number % 10 else 0) for number in range(0, EVENTS, 2)]
        tying = resolved(store, identities, again)
        store.close()
        return fresh, tying


def prepare(folder: Path, *, remembered: int) -> tuple[Store, Identities, str]:
    store = Store.in_folder(folder)
    store.migrate()
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    space = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
    return store, Identities(lambda space: StoredGraph(store, space), remembered=remembered), space.id


def resolved(store: Store, identities: Identities, events: list[Event]) -> float:
    """Microseconds an event, in chunks: resolve in slices, then write what is new in one transaction."""
    workspace = store.run(workspaces.load)
    seconds = 0.0
    for start in range(0, len(events), CHUNK):
        slices = [events[at : min(at + SLICE, start + CHUNK)] for at in range(start, start + CHUNK, SLICE)]
        started = time.perf_counter()
        identities.begin(workspace)
        for some in slices:
            identities.resolve(some)
        changed = identities.changes()
        if changed:
            ((space_id, changes),) = changed
            store.run(lambda connection, id=space_id, changes=changes: graph.write(connection, id, changes))
            identities.written()
        seconds += time.perf_counter() - started
    return seconds / len(events) * 1e6


def main() -> None:
    many = int(os.environ.get("HEADWATER_BENCH_PROFILES", "1000000"))
    small, large = known(10_000), known(many)
    fresh, tying = new()
    figures = {
        "µs an event, 10,000 profiles": small.active,
        f"µs an event, {many:,} profiles, 10,000 active": large.active,
        "ratio of the two": large.active / small.active,
        "µs for bare look-ups of the same, 10,000": small.bare,
        f"µs for bare look-ups of the same, {many:,}": large.bare,
        f"µs an event of any of {many:,} profiles": large.anybody,
        "µs for bare look-ups of these": large.bare_anybody,
        "µs an event, not remembered, 10,000 profiles": small.read,
        f"µs an event, not remembered, {many:,} profiles": large.read,
        "µs an event, mostly new people": fresh,
        "µs an event, mostly new links": tying,
    }
    report("identity", figures, target="under 10 µs when known, and a ratio within 1.3")


if __name__ == "__main__":
    main()
