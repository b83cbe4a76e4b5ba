"""Where the archive's files are: a folder, or anything that fsspec reaches. A file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

if TYPE_CHECKING:
    from headwater.spec.settings import WarehouseSettings

_HERE = "file://"


class ArchivePlace(msgspec.Struct, frozen=True):
    """Where an archive is: a folder, or a URL with options of its driver; what is fetched is kept below `cache`."""

    folder: str
    url: str = ""
    options: tuple[str, ...] = ()
    cache: str = ""
    cache_bytes: int = 0


class Files(Protocol):
    """A place for files under names with slashes. All verbs block; they raise OSError when the place is away."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, durable when this returns; one of that name is replaced."""
        ...

    def read(self, name: str) -> bytes:
        """A file's content."""
        ...

    def sizes(self, state: Hashable = None) -> dict[str, int]:
        """All files by name with their sizes in bytes.

        With a `state` the answer may be some seconds old, if it was asked for in the same state.
        """
        ...

    def paths(self, sizes: Mapping[str, int], *, seconds: float) -> list[str]:
        """Where on this machine files can be read, fetched if need be, for so many seconds. Raises CacheFull."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when it is gone already."""
        ...


def place_of(settings: WarehouseSettings, data: Path) -> ArchivePlace:
    """The place of the archive; `data` is the data folder."""
    url = settings.archive_url
    if not url:
        return ArchivePlace(str((data / "archive").absolute()))
    if url.startswith(_HERE):
        return ArchivePlace(unquote(urlsplit(url).path))
    cache = str((data / "cache").absolute())
    return ArchivePlace("", url, settings.archive_options, cache, settings.cache_bytes)


def open_files(place: ArchivePlace) -> Files:
    """The files of a place. Raises SetupError for a URL that nothing here can reach, and OSError when it is away."""
    return _remote(place) if place.url else LocalFiles(Path(place.folder))


@lru_cache(maxsize=8)
def _remote(place: ArchivePlace) -> Files:
    from headwater.warehouse.remote import CachedFiles, FileCache, RemoteFiles

    remote = RemoteFiles(place.url, place.options)
    return CachedFiles(remote, FileCache(Path(place.cache), place.url, place.cache_bytes))


class LocalFiles:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: bytes) -> None:
        """See Files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        for parent in (path.parent, *path.parent.relative_to(self.folder).parents):
            _sync_folder(self.folder / parent)

    def read(self, name: str) -> bytes:
        """See Files."""
        return (self.folder / name).read_bytes()

    def sizes(self, state: Hashable = None) -> dict[str, int]:
        """See Files."""
        found = (path for path in self.folder.rglob("*.parquet") if not path.name.startswith("."))
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in found}

    def paths(self, sizes: Mapping[str, int], *, seconds: float) -> list[str]:
        """See Files."""
        return [str(self.folder / name) for name in sizes]

    def remove(self, name: str) -> None:
        """See Files."""
        (self.folder / name).unlink(missing_ok=True)


def options_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Options as `name=value`, in which dots name what is inside: `client_kwargs.region_name=eu-west-1`.

    true and false are no text, and neither are numbers that are inside.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        *outer, last = name.strip().split(".")
        inside = found
        for part in outer:
            inside = inside.setdefault(part, {})
        text = text.strip()
        number = int(text) if outer and text.isdecimal() else text
        inside[last] = {"true": True, "false": False}.get(text, number)
    return found


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
