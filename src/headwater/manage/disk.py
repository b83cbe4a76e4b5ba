"""What of the data folder takes how much room. Blocks; nothing is opened, only looked at."""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec


class Room(msgspec.Struct, frozen=True):
    """A part of the data folder: how many files, and the bytes in them."""

    part: str
    files: int
    size: int


class Disk(msgspec.Struct, frozen=True):
    """The disk that the data folder is on, in bytes."""

    free: int
    total: int

    @property
    def short(self) -> bool:
        """Is less than a tenth, or less than 1 GB, free?"""
        return self.free < self.total / 10 or self.free < 1_000_000_000


def disk_of(folder: Path) -> Disk:
    """The disk of a folder."""
    usage = shutil.disk_usage(folder)
    return Disk(usage.free, usage.total)


def rooms(folder: Path) -> list[Room]:
    """The parts of a data folder, in alphabetical order. Of the log and the archive, each folder is a part."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, size in _files(folder):
        part = _part(path.relative_to(folder).parts)
        sums[part][0] += 1
        sums[part][1] += size
    return [Room(part, files, size) for part, (files, size) in sorted(sums.items())]


_FOLDERS = {"seen": "dedup"} | {name: name for name in ("log", "archive", "history", "followed", "cache")}


def _part(parts: Sequence[str]) -> str:
    """`log/processed-0000/x` is of `log/processed`, `archive/day=.../x` of `archive/<day>`, `seen/0/x` of `dedup`."""
    top, *below = parts
    if not below:
        return "store" if top.startswith("store.sqlite") else "other"
    if top == "log" and len(below) > 1:
        return f"log/{below[0].rpartition('-')[0] or below[0]}"
    if top == "archive" and below[0].startswith("day="):
        return f"archive/{below[0].removeprefix('day=')}"
    if top == "warehouse":
        return f"warehouse/{'/'.join(below).removesuffix('.wal').removesuffix('.tmp')}"
    return {
        "seen": "dedup",
        "log": "log",
        "archive": "archive",
        "history": "history",
        "followed": "followed",
        "cache": "cache",
    }.get(top, "other")


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink():
                yield path, path.stat().st_size
