"""A disk that takes no more: refused with 503, nothing half-accepted, recovered by itself.

The kernel refuses writes of a running process beyond a file size that the test sets and lifts again (RLIMIT_FSIZE), so
the failure is real and needs neither privileges nor a disk of its own.
"""

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.contracts.house import RunningHouse, running_house, until

BIG = "x" * 20_000


@contextmanager
def full_disk(pids: list[int]) -> Generator[None]:
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def house(tmp_path: Path) -> Generator[RunningHouse]:
    with running_house(tmp_path) as running:
        yield running


def pids(house: RunningHouse, role: str) -> list[int]:
    return [pid for pid, roles in house.children().items() if role in roles]


def track(house: RunningHouse, message_id: str) -> int:
    body = {"userId": "u", "event": "E", "messageId": message_id, "properties": {"filling": BIG}}
    return house.send("/v1/track", body)[0]


def archived(house: RunningHouse) -> set[str]:
    return {str(row[0]) for row in house.query("select message_id from events")}


def _until_archived(house: RunningHouse, wanted: set[str]) -> None:
    try:
        until(lambda: wanted <= archived(house), seconds=60)
    except AssertionError as error:
        raise AssertionError(f"{sorted(wanted - archived(house))} did not arrive\n{house.output()}") from error


def test_collect_refuses_while_the_disk_is_full_and_accepts_again_afterwards(house: RunningHouse) -> None:
    assert track(house, "before") == 200
    with full_disk(pids(house, "collect")):
        assert {track(house, f"during-{number}") for number in range(20)} == {503}
    until(lambda: track(house, "after") == 200, seconds=20)
    _until_archived(house, {"before", "after"})
    assert not [one for one in archived(house) if one.startswith("during")]


def test_what_was_accepted_waits_for_a_pipeline_whose_disk_is_full(house: RunningHouse) -> None:
    assert track(house, "before") == 200
    until(lambda: "before" in archived(house), seconds=30)
    with full_disk(pids(house, "pipeline")):
        assert [track(house, f"during-{number}") for number in range(5)] == [200] * 5
    wanted = {"before", *(f"during-{number}" for number in range(5))}
    _until_archived(house, wanted)
    rows = house.query("select message_id, count(*) from events group by 1 having count(*) > 1")
    assert rows == []
