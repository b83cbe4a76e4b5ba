"""Segment's own packages for triggers, mappings and payloads, unchanged, run by the Node.js of the environment."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from node_client import install, program

_HALF = re.compile(r"[\ud800-\udfff]|\\ud[89a-f][0-9a-f]{2}")
FOLDER = Path(__file__).parents[1] / "differential"


def answers(questions: Iterable[dict[str, Any]]) -> list[Any]:
    """Ask one process of `tests/differential/ask.cjs` all questions; the answers come in their order.

    Skips the test when npm cannot reach its registry.
    """
    install(FOLDER)
    lines = "".join(f"{json.dumps(question)}\n" for question in questions)
    with tempfile.TemporaryFile() as given:
        given.write(lines.encode())
        given.seek(0)
        done = subprocess.run(
            [program("node"), "ask.cjs"], cwd=FOLDER, stdin=given, capture_output=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def alike(mine: Any, theirs: Any) -> bool:
    """Would both be the same JSON, but for the order of keys, the ways to write a number, and halves of characters?"""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(alike(each, theirs[key]) for key, each in mine.items())
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(alike, mine, theirs))
    if isinstance(theirs, str):
        theirs = _HALF.sub("\ufffd", theirs)
    return isinstance(mine, bool) is isinstance(theirs, bool) and mine == theirs
