"""Types are known before there are threads: two that come first at once would end the process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import headwater

ROOT = Path(headwater.__file__).parent
LATE = re.compile(
    r"msgspec\.convert\(|msgspec\.(?:json|msgpack)\.decode\((?!sys\.stdin)[^()]*(?:\([^()]*\)[^()]*)*type=_?[A-Z]"
)
ALONE = {"app", "contracts", "manage/reading.py", "spec/typed.py"}
"""Where one thread alone reads: programs of the command line, tests' houses, and requests in manage's loop. What a
process reads from `sys.stdin` it reads before it has threads.
"""

RACE = """
import sys, threading
from headwater.spec.typed import converter
from headwater.spec.computation import Computation

read = converter(Computation)
sys.setswitchinterval(1e-6)
told = {"id": "d", "destinationId": "d", "idSync": [], "calls": []}
row = {"id": "a", "spaceId": "s", "kind": "audience", "key": "k", "name": "n", "query": "q", "connections": [told]}
together = threading.Barrier(8)

def go():
    together.wait()
    for _ in range(20):
        read(row)

threads = [threading.Thread(target=go) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_read_a_type_for_the_first_time_together() -> None:
    for _ in range(4):
        ended = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_no_type_is_read_that_was_not_known_when_its_module_was_imported() -> None:
    found: list[str] = []
    for file in sorted(ROOT.rglob("*.py")):
        name, text = file.relative_to(ROOT).as_posix(), file.read_text()
        if not any(name.startswith(alone) for alone in ALONE):
            found += [f"{name}:{text.count(chr(10), 0, one.start()) + 1}" for one in LATE.finditer(text)]
    assert found == []
