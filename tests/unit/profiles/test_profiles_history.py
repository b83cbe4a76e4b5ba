"""The index of events by profile and time: in order, within bounds, and without a gap after a crash."""

from pathlib import Path

from headwater.profiles.history import Entry, History, HistoryReader, index_folder
from headwater.profiles.known import Mark, Told


def told(profile: str, at: int, position: int, name: str = "Tick") -> tuple[str, Told]:
    return profile, Told(Mark(at, at + 5, position, f"m{position}", "web"), name)


def test_events_of_a_profile_come_by_time_and_those_of_others_not(tmp_path: Path) -> None:
    reader = HistoryReader(tmp_path, 3)
    reader.refresh()
    assert list(reader.entries("use_a", 0, 100, newest_first=True)) == []
    history = History(index_folder(tmp_path, 3), keep_seconds=1_000)
    assert history.known_to == 0
    some = [told("use_a", at, position) for position, at in enumerate((30, 10, 20, 20, 40))]
    history.remember([*some, told("use_", 20, 7), told("use_b", 20, 8), told("use_a", 20, 9, "")], 10)
    history.remember(some, 10)
    reader.refresh()

    def positions(since: int, until: int, *, newest_first: bool) -> list[int]:
        return [one.position for one in reader.entries("use_a", since, until, newest_first=newest_first)]

    assert positions(0, 100, newest_first=False) == [1, 2, 3, 0, 4]
    assert positions(0, 100, newest_first=True) == [4, 0, 3, 2, 1]
    assert positions(20, 30, newest_first=True) == [0, 3, 2]
    assert positions(20, 30, newest_first=False) == [2, 3, 0]
    assert positions(50, 20, newest_first=True) == []
    history.remember([told("use_a", 50, 10, "Bought é")], 11)
    reader.refresh()
    (newest,) = reader.entries("use_a", 50, 50, newest_first=True)
    assert newest == Entry(50, 10, 3, 55, "web", "Bought é")
    history.close()
    for position in range(11, 14):
        again = History(index_folder(tmp_path, 3), keep_seconds=1_000)
        assert again.known_to == position
        again.remember([told("use_a", 60, position)], position + 1)
        reader.refresh()
        assert positions(0, 100, newest_first=False) == [1, 2, 3, 0, 4, *range(10, position + 1)]
        again.close()
    reader.close()
