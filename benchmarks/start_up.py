"""Cold start and idle memory of the embedded house, beside those of a bare interpreter."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import report
from headwater.contracts.house import RunningHouse, running_house, until


def proportional_mb(pids: list[int]) -> float:
    """The memory of processes in MB, with pages that they share counted once between them."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _resting(house: RunningHouse) -> set[str]:
    """Roles of processes that have no Arrow library in memory."""
    return {roles for pid, roles in house.children().items() if "libarrow" not in Path(f"/proc/{pid}/maps").read_text()}


def main() -> None:
    bare = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    time.sleep(0.5)
    baseline = proportional_mb([bare.pid])
    bare.kill()
    bare.wait()
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    interpreter = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with running_house(Path(folder)) as house:
            first = time.perf_counter() - started
            house.send("/v1/track", {"userId": "u", "event": "e"})
            until(lambda: "warehouse" not in _resting(house), what="for the first load")
            # The warehouse rests once nothing has happened for a while; that is what idle means.
            until(lambda: "warehouse" in _resting(house), seconds=120, what="for the warehouse to rest")
            time.sleep(3)
            assert house.process is not None
            pids = [house.process.pid, *house.children()]
            memory = proportional_mb(pids)
            each = {f"  {roles} (MB)": proportional_mb([pid]) for pid, roles in house.children().items()}
        started = time.perf_counter()
        with running_house(Path(folder)):
            again = time.perf_counter() - started
    figures = {
        "bare interpreter, MB": baseline,
        "idle memory, MB": memory,
        **each,
        "bare interpreter, seconds": interpreter,
        "first start, seconds": first,
        "cold start, seconds": again,
        "cold start / bare interpreter": again / interpreter,
    }
    report("start_up", figures, target="idle memory < 300 MB, cold start < 3 s")


if __name__ == "__main__":
    main()
