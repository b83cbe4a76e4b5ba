"""Runs the benchmarks named on the command line, or all of them, one after the other; flags go to each of them."""

import subprocess
import sys
from itertools import takewhile
from pathlib import Path

HERE = Path(__file__).parent
NOT_CLAIMS = {"__init__", "__main__", "sink", "report", "load"}


def main() -> int:
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_CLAIMS)
    named = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    flags = sys.argv[1 + len(named) :]
    chosen = named or known
    if unknown := set(chosen) - set(known):
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
        return 2
    failed = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *flags], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
