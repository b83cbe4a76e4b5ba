"""The index of messageIds, on a real disk."""

import asyncio
from pathlib import Path

from headwater.eventlog import Append, Commit, Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.pipeline.seen import Seen, lookup
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.keys import collected_key, partition_of

HOUR = 3_600_000


def opened(folder: Path) -> Seen:
    return Seen(folder / "seen", keep_seconds=7 * 86_400, window_ms=24 * HOUR)


def test_an_id_is_a_duplicate_within_the_window_and_new_again_after_it(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    seen.remember(["a"], [0], [0])
    assert seen.screen()(["a", "b"], [24 * HOUR - 1, 0]) == {0}
    assert seen.screen()(["a"], [24 * HOUR]) == set()
    seen.close()


def test_the_second_of_two_in_one_chunk_is_the_duplicate(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    assert seen.screen()(["a", "b", "a", "a"], [0, 0, 0, 1]) == {2, 3}
    assert seen.screen()([], []) == set()
    seen.close()


def test_an_old_entry_does_not_hide_a_repetition_inside_the_chunk(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    seen.remember(["a"], [0], [0])
    assert seen.screen()(["a", "a"], [30 * HOUR, 30 * HOUR]) == {1}
    seen.close()


def test_what_was_asked_about_earlier_in_the_same_chunk_is_a_duplicate(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    duplicates = seen.screen()
    assert duplicates(["a"], [0]) == set()
    assert duplicates(["b", "a"], [0, 0]) == {1}
    assert seen.screen()(["a"], [0]) == set()
    seen.close()


def test_ids_of_any_kind_are_keys(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    ids = ["", "\0position", "position", "é", "\ud800", "x" * 100]
    seen.remember(ids, [0] * 6, range(6))
    assert seen.known_to == 6
    assert seen.screen()(ids, [1] * 6) == {0, 1, 2, 3, 4, 5}
    seen.close()


def test_another_process_may_look_an_id_up_while_the_index_is_open(tmp_path: Path) -> None:
    seen = opened(tmp_path)
    seen.remember(["a", "b"], [5, 5], [41, 42])
    assert lookup(tmp_path / "seen", "b") == 42
    assert lookup(tmp_path / "seen", "c") is None
    assert lookup(tmp_path / "nothing", "b") is None
    seen.close()


def test_the_index_catches_up_with_what_was_processed_without_it(tmp_path: Path) -> None:
    async def story() -> None:
        log = MemoryLog(partitions=1)
        records = [
            Record(b"", encode_header(ProcessedHeader("s", "track", "e", f"m{n}", "u", "", 1_000)), b"{}")
            for n in range(5)
        ]
        await log.transact(0, [Append(PROCESSED, records)], [Commit("pipeline", COLLECTED, 1)])
        seen = opened(tmp_path)
        seen.remember(["m0", "m1"], [1_000, 1_000], [0, 1])
        assert await seen.catch_up(log, 0) == 3
        assert seen.screen()(["m4", "m5"], [2_000, 2_000]) == {0}
        assert await seen.catch_up(log, 0) == 0
        seen.close()

    asyncio.run(story())


def test_an_index_that_is_opened_again_and_again_forgets_nothing(tmp_path: Path) -> None:
    ids = [f"m{number}" for number in range(10)]
    for opening in range(8):
        seen = Seen(tmp_path, keep_seconds=1_000_000, window_ms=1_000_000)
        assert len(seen.screen()(ids, [5] * 10)) == (10 if opening else 0)
        assert seen.known_to == 10 * opening
        seen.remember(
            ids if opening == 0 else [f"{opening}-{one}" for one in ids],
            [5] * 10,
            range(10 * opening, 10 * opening + 10),
        )
        seen.close()


def test_an_index_that_only_deduplication_asks_passes_over_what_is_older(tmp_path: Path) -> None:
    async def story() -> None:
        now = 0
        log = MemoryLog(clock=lambda: now, gaps=True)
        for number in range(4):
            now = number * HOUR
            header = ProcessedHeader("s", "track", "e", f"m{number}", "u", "", now)
            await log.append(PROCESSED, 0, [Record(b"", encode_header(header), b"{}")])
        seen = opened(tmp_path)
        assert await seen.catch_up(log, 0, since_ms=2 * HOUR) == 2
        assert seen.screen()(["m1", "m2", "m3"], [now, now, now]) == {1, 2}
        assert await seen.catch_up(log, 0, since_ms=0) == 0
        seen.close()

    asyncio.run(story())


def test_an_index_that_is_new_knows_what_was_moved_from_another_partition_and_belongs_here_now(tmp_path: Path) -> None:
    def record(user: str, at: int) -> Record:
        return Record(b"", encode_header(ProcessedHeader("s", "track", "E", f"{user}-{at}", user, "", at)), b"{}")

    nobodys = partition_of(collected_key("s", None, None), 3)
    here = next(one for one in (1, 2) if one != nobodys)

    async def scenario() -> set[str]:
        log = MemoryLog(partitions=3)
        users = [f"u{number}" for number in range(30)]
        await log.append(PROCESSED, 0, [record(user, at) for at in (5 * HOUR, 10 * HOUR) for user in users])
        await log.append(PROCESSED, 0, [record("after", 10 * HOUR)])
        seen = opened(tmp_path)
        await seen.inherit(log, here, {0: 60}, since=6 * HOUR)
        names = [f"{user}-{at}" for at in (5 * HOUR, 10 * HOUR) for user in [*users, "after"]]
        known = seen.screen()(names, [11 * HOUR] * len(names))
        seen.close()
        return {names[index] for index in known}

    known = asyncio.run(scenario())
    users = {f"u{number}" for number in range(30) if partition_of(collected_key("s", f"u{number}", None), 3) == here}
    assert known == {f"{user}-{10 * HOUR}" for user in users}
    assert lookup(tmp_path / "seen", f"{min(users)}-{10 * HOUR}") is None
