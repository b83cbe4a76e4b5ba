"""What is in events: paths, types and examples, and whose turn it is to be looked at."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.manage.sampling import A_SECOND, PATHS, Sampler, add_up, paths_of
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.outcome import Named
from headwater.store import Store, names

KEY = ("s", "track", "A")


@pytest.mark.parametrize(
    ("type", "body", "paths"),
    [
        ("track", {"properties": {"total": 1.5, "ok": True, "none": None}}, {"total": "1.5", "ok": "true", "none": ""}),
        ("track", {"properties": {"a": {"b": {"c": "x"}}}}, {"a": "", "a.b": "", "a.b.c": '"x"'}),
        (
            "track",
            {"properties": {"products": [{"sku": "a"}, {"sku": "b", "qty": 2}], "tags": []}},
            {"products": "", "products[]": "", "products[].sku": '"a"', "products[].qty": "2", "tags": "[]"},
        ),
        ("identify", {"traits": {"email": "a@b.c"}, "properties": {"x": 1}}, {"email": '"a@b.c"'}),
        ("alias", {"userId": "u"}, {}),
        ("page", {"properties": {"url": "https://" + "x" * 200}}, {"url": '"https://' + "x" * 91}),
    ],
)
def test_paths_of_an_event(type: str, body: dict[str, Any], paths: dict[str, str]) -> None:
    assert {path: example for path, (_, example) in paths_of(type, body).items()} == paths


def test_an_event_with_absurdly_many_paths_is_looked_at_in_part() -> None:
    wide = {"properties": {f"k{number}": number for number in range(5_000)}}
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"in": deep}
    assert len(paths_of("track", wide)) == PATHS
    assert len(paths_of("track", {"properties": deep})) < 10
    sample = add_up(None, KEY, json.dumps(wide).encode(), 1)
    other = {"properties": {"another": 1, "k1": 2}}
    assert len(add_up(sample, KEY, json.dumps(other).encode(), 2).paths) == PATHS


def test_samples_add_up_by_path_and_type() -> None:
    sample = None
    for at, total in enumerate((1, 2.5, "three", None)):
        sample = add_up(sample, KEY, json.dumps({"properties": {"total": total}}).encode(), at)
    sample = add_up(sample, KEY, b'{"properties":{}}', 9)
    assert (sample.sampled, sample.sampled_at, sample.event) == (5, 9, b'{"properties":{}}')
    seen = sample.paths["total"]
    assert (seen.events, seen.types, seen.example) == (4, {"number": 2, "string": 1, "null": 1}, '"three"')


def put(log: MemoryLog, *names: str) -> list[Named]:
    records = [
        Record(b"", encode_header(ProcessedHeader("s", "track", name, "m", "u", "", 1)), b'{"properties":{"a":1}}')
        for name in names
    ]
    first = asyncio.run(log.append(PROCESSED, 0, records))
    return [Named("s", "track", name, 1, first + place) for place, name in enumerate(names)]


def test_a_name_is_looked_at_once_a_minute_and_few_at_once(tmp_path: Path) -> None:
    store, log = Store.in_folder(tmp_path), MemoryLog()
    store.migrate()
    sampler = Sampler(log, store)
    counted = put(log, *(f"name {number}" for number in range(100)))
    assert asyncio.run(sampler.look(0, counted)) == A_SECOND
    assert asyncio.run(sampler.look(0, counted[:A_SECOND])) == 0
    store.close()


def test_an_event_that_stands_elsewhere_than_told_is_not_taken_for_another(tmp_path: Path) -> None:
    store, log = Store.in_folder(tmp_path), MemoryLog()
    store.migrate()
    (one, other) = put(log, "A", "B")
    wrong = [
        Named("s", "track", "A", 1, other.position),
        Named("s", "track", "B", 1, 99),
        Named("s", "track", "", 1, 0, True),
    ]
    assert asyncio.run(Sampler(log, store).look(0, wrong)) == 0
    assert asyncio.run(Sampler(log, store).look(0, [one])) == 1
    assert store.run(lambda connection: names.sample(connection, KEY)) is not None
    store.close()
