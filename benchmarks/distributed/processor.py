"""How much of the processors each process takes. On a machine that others use too it tells more than rates do."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from headwater.contracts.house import until

_TICKS = os.sysconf("SC_CLK_TCK")
_REST_SHARE = 0.15


def seconds(pid: int) -> float:
    """The processor time of a process and of all that it started, those that have ended too."""
    total = 0.0
    with suppress(OSError):
        total = sum(map(int, _fields(pid)[11:15])) / _TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(seconds(int(child)) for child in (task / "children").read_text().split())
    return total


class Meter:
    """What named processes have taken since it was made, less what they take when nothing happens."""

    def __init__(self, processes: Mapping[str, int], *, idle_looks: int = 3) -> None:
        """Looks at the processes so many times for a second while nothing happens; the calmest look counts."""
        self._processes = dict(processes)
        looks = [self._look() for _ in range(idle_looks)]
        self._idle = {name: min((look[name] for look in looks), default=0.0) for name in processes}
        self.again()

    def again(self) -> None:
        """Begin anew."""
        self._started, self._before = time.perf_counter(), self._read()

    def spent(self) -> dict[str, float]:
        """Seconds, by process."""
        took = time.perf_counter() - self._started
        return {
            name: max(0.0, now - self._before[name] - self._idle[name] * took) for name, now in self._read().items()
        }

    def until_rest(self, *, limit: float) -> None:
        """Wait until all of them together take little more than when nothing happens."""
        rest = sum(self._idle.values()) * 1.3 + _REST_SHARE
        until(lambda: sum(self._look().values()) < rest, seconds=limit, what="for nothing to do")

    def _look(self) -> dict[str, float]:
        """What they take in a second."""
        before = self._read()
        time.sleep(1.0)
        return {name: now - before[name] for name, now in self._read().items()}

    def _read(self) -> dict[str, float]:
        return {name: seconds(pid) for name, pid in self._processes.items()}


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
