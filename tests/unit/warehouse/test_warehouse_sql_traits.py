"""SQL traits: which rows are taken, what is told of them, and that it is told once."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import COLLECTED
from headwater.pipeline.unpack import unpack
from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.event import decode_collected
from headwater.spec.keys import is_stand_in
from headwater.spec.sql_trait import KeyColumn, SqlTrait
from headwater.warehouse.pages import Page
from headwater.warehouse.sql_traits.memory import Memory
from headwater.warehouse.sql_traits.run import Tally, Tell, run, teller

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "sql_traits" / "rules.yaml").read_text()
)
Rows = Sequence[Sequence[Any]]


class Desk:
    """An SQL trait whose rows the test gives."""

    def __init__(self, folder: Path, key: KeyColumn = "user_id", *, partitions: int = 1) -> None:
        self.trait = SqlTrait(id="sql_1", space_id="spa_1", name="T", sql="", key=key)
        self.path = folder / "sql_1.sqlite"
        self.log = MemoryLog(partitions=partitions)

    def run(self, columns: Sequence[str], rows: Rows, *, types: Sequence[str] = (), tell: Tell | None = None) -> Tally:
        """Run it; what was counted is in the tally even if that fails."""
        self.tally = Tally()

        async def found() -> AsyncGenerator[Page]:
            yield Page(list(columns), list(types) or ["VARCHAR"] * len(columns))
            for row in rows:
                yield Page(rows=[list(row)])
            yield Page(last=True)

        memory = Memory(self.path)
        try:
            told = tell or teller(self.log, "src", self.trait)
            asyncio.run(run(self.trait, found(), memory=memory, tell=told, tally=self.tally))
        finally:
            memory.close()
        return self.tally

    def calls(self) -> list[dict[str, Any]]:
        """What was told by all runs so far, as the pipeline reads it."""
        return [body for _, body in self.told()]

    def told(self) -> list[tuple[int, dict[str, Any]]]:
        found: list[tuple[int, dict[str, Any]]] = []
        for partition in self.log.partitions(COLLECTED):
            chunk = asyncio.run(self.log.read(COLLECTED, partition, 0))
            for record in chunk.records:
                items = unpack(decode_collected(record.header), record.value)
                found += [(partition, item.body) for item in items if item.body is not None]
        return found


def plain(call: dict[str, Any]) -> dict[str, Any]:
    """A call without what is made up."""
    made = {name: value for name, value in call.items() if name != "messageId"}
    if is_stand_in(made.get("anonymousId")):
        made["anonymousId"] = "nobody"
    made.get("context", {}).pop("personas", None)
    return made if made.get("context") else {name: value for name, value in made.items() if name != "context"}


def grown(cell: Any) -> Any:
    return "x" * (10 * int(cell[11:])) if isinstance(cell, str) and cell.startswith("xxxxxxxxxx*") else cell


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_rows_become_calls(case: dict[str, Any], tmp_path: Path) -> None:
    desk = Desk(tmp_path, case["key"])
    rows = [[grown(cell) for cell in row] for row in case.get("rows", [])]

    def told() -> Tally:
        return desk.run(list(case["columns"]), rows, types=list(case["columns"].values()))

    if "refused" in case:
        with pytest.raises(SenderError, match=case["refused"]):
            told()
        return
    assert told().discarded == case.get("discarded", {})
    assert desk.tally.rows == len(rows)
    if "calls" in case:
        assert [plain(call) for call in desk.calls()] == [plain(call) for call in case["calls"]]


def test_only_what_is_new_or_changed_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(["user_id", "n"], [["u1", 1], ["u2", 2]])
    again = desk.run(["user_id", "n"], [["u2", 2], ["u1", 1]])
    assert (again.changed, len(desk.calls())) == (0, 2)
    changed = desk.run(["user_id", "n"], [["u1", 1], ["u2", 5], ["u3", 1]])
    assert changed.changed == 2
    assert [(call["userId"], call["traits"]) for call in desk.calls()[2:]] == [("u2", {"n": 5}), ("u3", {"n": 1})]


def test_a_row_that_is_gone_is_told_with_null_for_all_that_it_told_and_only_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(["user_id", "n", "m"], [["u1", 1, 2], ["u2", 2, 3]])
    assert desk.run(["user_id", "n"], [["u2", 2]]).vanished == 1
    assert desk.run(["user_id", "n"], [["u2", 2]]).vanished == 0
    assert [(call["userId"], call["traits"]) for call in desk.calls()[2:]] == [
        ("u2", {"n": 2}),
        ("u1", {"n": None, "m": None}),
    ]


def test_a_value_that_comes_back_is_told_under_another_message_id(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for value in (1, 2, 1, 2):
        desk.run(["user_id", "n"], [["u1", value]])
    desk.run(["user_id", "n"], [])
    desk.run(["user_id", "n"], [["u1", 1]])
    desk.run(["user_id", "n"], [])
    assert len({call["messageId"] for call in desk.calls()}) == len(desk.calls()) == 7


def test_who_leaves_a_company_does_not_take_its_traits_along(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "group_id")
    columns = ["group_id", "user_id", "n"]
    desk.run(columns, [["g1", "u1", 1], ["g1", "u2", 1], ["g2", "u3", 1]])
    gone = desk.run(columns, [["g1", "u2", 1]])
    assert gone.vanished == 2
    told = [plain(call) for call in desk.calls()[3:]]
    assert told == [{"type": "group", "groupId": "g2", "anonymousId": "nobody", "traits": {"n": None}}]


class Crash(Exception):
    """The process ends here."""


def crashing(tell: Tell, after: int) -> Tell:
    """Tells so often, and then is killed when what it told is durable and nobody knows."""
    left = [after]

    async def told(calls: Sequence[dict[str, Any]]) -> None:
        await tell(calls)
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    return told


@pytest.mark.parametrize("after", [0, 1])
def test_what_a_killed_run_had_told_is_told_again_under_the_same_message_id(tmp_path: Path, after: int) -> None:
    desk = Desk(tmp_path)
    desk.run(["user_id", "n"], [["u0", 0], ["u1", 0]])
    now = [["u1", 1], ["u2", 2]]
    with pytest.raises(Crash):
        desk.run(["user_id", "n"], now, tell=crashing(teller(desk.log, "src", desk.trait), after))
    desk.run(["user_id", "n"], now)
    told = {call["messageId"]: plain(call) for call in desk.calls()[2:]}
    assert [(call["userId"], call["traits"]) for call in told.values()] == [
        ("u1", {"n": 1}),
        ("u2", {"n": 2}),
        ("u0", {"n": None}),
    ]


def test_nothing_is_told_when_the_query_fails_in_the_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    def failing(page: Page | Exception) -> Callable[[], AsyncGenerator[Page]]:
        async def found() -> AsyncGenerator[Page]:
            yield Page(["user_id", "n"], ["VARCHAR", "INTEGER"])
            yield Page(rows=[["u1", 1]])
            if isinstance(page, Exception):
                raise page
            yield page

        return found

    for page, error in ((Unavailable("away"), Unavailable), (Page(truncated=True, last=True), SenderError)):
        memory = Memory(desk.path)
        told = teller(desk.log, "src", desk.trait)
        with pytest.raises(error):
            asyncio.run(run(desk.trait, failing(page)(), memory=memory, tell=told, tally=Tally()))
        memory.close()
    assert desk.calls() == []
    assert desk.run(["user_id", "n"], [["u1", 1]]).changed == 1


def test_calls_lie_in_the_partition_in_which_a_sender_would_find_them(tmp_path: Path) -> None:
    from headwater.collect.accept import accept
    from headwater.collect.routes import Route
    from headwater.collect.split import split

    desk = Desk(tmp_path, partitions=4)
    desk.run(["user_id", "n"], [[f"u{number}", 1] for number in range(20)])
    for partition, call in desk.told():
        accepted = accept(Route("single", "identify"), json.dumps(call).encode(), "key")
        assert [place for place, _ in split(accepted, "src", b"", 4)] == [partition]
    assert len({partition for partition, _ in desk.told()}) == 4


def test_batches_are_small_enough_for_collect(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(["user_id", "n"], [[f"u{number}", "x" * 10_000] for number in range(100)])
    records: list[Record] = asyncio.run(desk.log.read(COLLECTED, 0, 0)).records
    assert [len(record.value) < 405_000 for record in records] == [True] * 3
    header = decode_collected(records[0].header)
    assert (header.kind, header.source_id, header.write_key) == ("batch", "src", "")
    assert msgspec.json.decode(records[0].value)["context"]["personas"]["computation_id"] == "sql_1"
