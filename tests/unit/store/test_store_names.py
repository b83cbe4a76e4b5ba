"""Events seen so far: counts by name, with a limit, and samples."""

from __future__ import annotations

from headwater.store import Store, names
from headwater.store.names import NameCount, PathSeen, Sample


def count(name: str, events: int = 1, *, at: int = 10, source: str = "s", type: str = "track") -> NameCount:
    return NameCount(source, type, name, events, at, at)


def add(store: Store, *counts: NameCount, limit: int = 5_000) -> None:
    store.run(lambda connection: names.add(connection, counts, limit))


def listed(store: Store, **how: object) -> list[tuple[str, int]]:
    found, _ = store.run(lambda connection: names.find(connection, "s", **how))  # type: ignore[arg-type]
    return [(one.name, one.events) for one in found]


def test_names_add_up_with_their_first_and_last_moment(store: Store) -> None:
    add(store, count("A", 2, at=20), count("A", 1, at=10), count("B", at=5), count("A", source="other"))
    add(store, count("A", 4, at=30))
    found = store.run(lambda connection: names.one(connection, ("s", "track", "A")))
    assert found == NameCount("s", "track", "A", 7, 10, 30)
    assert listed(store) == [("A", 7), ("B", 1)]
    assert listed(store, order="last_at", limit=1) == [("A", 7)]
    assert listed(store, limit=1, offset=1) == [("B", 1)]


def test_names_are_found_by_a_part_whatever_its_case(store: Store) -> None:
    add(store, count("Order Completed"), count("100%_off"), count("", type="identify"))
    assert listed(store, text="ORDER") == [("Order Completed", 1)]
    assert listed(store, text="%_") == [("100%_off", 1)]
    assert listed(store, text="identi") == [("", 1)]


def test_names_beyond_the_limit_are_counted_together(store: Store) -> None:
    add(store, count("A"), count("B"), limit=2)
    add(store, count("A"), count("C", 3), count("D", 4), limit=2)
    add(store, count("C", 1), limit=2)
    found, total = store.run(lambda connection: names.find(connection, "s"))
    assert [(one.name, one.events, one.overflow) for one in found] == [("", 8, True), ("A", 2, False), ("B", 1, False)]
    assert total == 3
    assert store.run(lambda connection: names.one(connection, ("s", "track", ""))) is None


def test_a_page_without_a_name_is_not_an_overflow(store: Store) -> None:
    add(store, count("", type="page"), NameCount("s", "page", "", 2, 1, 1, overflow=True))
    found, _ = store.run(lambda connection: names.find(connection, "s"))
    assert sorted((one.events, one.overflow) for one in found) == [(1, False), (2, True)]


def test_a_sample_takes_the_place_of_the_one_before(store: Store) -> None:
    key = ("s", "track", "A")
    first = Sample(*key, 1, 10, {"total": PathSeen(1, {"number": 1}, "1.5")}, b'{"a":1}')
    second = Sample(*key, 2, 20, {"total": PathSeen(2, {"number": 1, "string": 1}, '"x"')}, b'{"a":2}')
    assert store.run(lambda connection: names.sample(connection, key)) is None
    for one in (first, second):
        store.run(lambda connection, one=one: names.keep(connection, [one]))
    assert store.run(lambda connection: names.sample(connection, key)) == second
