"""An archive on an object store, and the copies of its files on this machine.

A file of the archive never changes under its name, so a copy is as good as the file. Copies take up to so many bytes;
those used longest ago make room for others, but never one that somebody was promised. The time until which it is
promised is the time of its file, so that all processes of a machine can share the folder.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from headwater.spec.errors import SetupError
from headwater.warehouse.files import options_of

_LISTING_SECONDS: Final = 15.0
_LISTINGS: Final = 4
_AT_ONCE: Final = 8
_FETCH_SECONDS: Final = 60.0
"""How long one question may fetch files. What came stays, so that it gets further the next time."""

_UNFINISHED_SECONDS: Final = 3_600.0
_MAGIC: Final = b"PAR1"
_FOLDERLESS: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
_S3: Final[dict[str, Any]] = {
    "config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}},
    "use_listings_cache": False,
}


class CacheFull(OSError):
    """The files that are asked for do not fit into the cache."""


class RemoteFiles:
    """A place of fsspec, such as an object store, where a file appears when its upload is complete.

    Its driver tries again what may pass; credentials are those that it finds in the environment, or options.
    """

    def __init__(self, url: str, options: tuple[str, ...] = ()) -> None:
        """Raises SetupError for a URL that nothing here can reach, and for options that its driver does not know."""
        from fsspec.core import url_to_fs

        self._url = url
        kind = url.partition("://")[0]
        given = options_of(options)
        if kind in ("s3", "s3a"):
            given = {**_S3, **given, "config_kwargs": {**_S3["config_kwargs"], **given.get("config_kwargs", {})}}
        try:
            filesystem, root = url_to_fs(url, **given)
        except (ImportError, ValueError, TypeError) as error:
            raise SetupError(f"warehouse.archive_url cannot be reached with what is installed: {error}") from error
        self.filesystem: Any = filesystem
        self.root = str(root).rstrip("/")
        self._folderless = kind in _FOLDERLESS

    def write(self, name: str, content: bytes) -> None:
        """See Files."""
        path = f"{self.root}/{name}"
        with self._reached():
            if not self._folderless:
                self.filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.filesystem.pipe_file(path, content)

    def read(self, name: str) -> bytes:
        """See Files."""
        with self._reached():
            content: bytes = self.filesystem.cat_file(f"{self.root}/{name}")
        return content

    def fetch(self, name: str, path: Path) -> None:
        """Copy a file to this machine."""
        with self._reached():
            self.filesystem.get_file(f"{self.root}/{name}", str(path))

    def sizes(self) -> dict[str, int]:
        """See Files."""
        with self._reached():
            self.filesystem.invalidate_cache()
            if not self._folderless and not self.filesystem.exists(self.root):
                return {}
            found: dict[str, dict[str, Any]] = self.filesystem.find(self.root, detail=True)
        start = len(self.root) + 1
        return {path[start:]: int(about["size"] or 0) for path, about in found.items() if path.endswith(".parquet")}

    def remove(self, name: str) -> None:
        """See Files."""
        with suppress(FileNotFoundError), self._reached():
            self.filesystem.rm_file(f"{self.root}/{name}")

    @contextmanager
    def _reached(self) -> Generator[None]:
        """Whatever a driver raises says that the place is away."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{self._url}: {type(error).__name__}: {error}") from error


class FileCache:
    """Copies of files in a folder, up to so many bytes."""

    def __init__(self, folder: Path, url: str, max_bytes: int, *, clock: Callable[[], float] = time.time) -> None:
        """Copies of what is at different URLs lie apart; `clock` is that of the disk, in seconds since 1970."""
        self._folder = folder / _digest(url)
        self._clock = clock
        self._lock = threading.Lock()
        self.max_bytes = max_bytes

    def find(self, name: str, seconds: float = 0.0) -> Path | None:
        """The copy of a file, promised for so many seconds; None when there is none."""
        path = self.path(name)
        try:
            until = max(path.stat().st_mtime, self._clock() + seconds)
            os.utime(path, (until, until))
        except FileNotFoundError:
            return None
        return path

    def put(self, name: str, fill: Callable[[Path], None], seconds: float = 0.0) -> Path:
        """Have a copy made, which appears whole. Raises OSError, for one that is not whole too."""
        path = self.path(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        try:
            fill(unfinished)
            _check(name, unfinished)
            until = self._clock() + seconds
            os.utime(unfinished, (until, until))
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def make_room(self, wanted: int) -> None:
        """Remove copies that nobody was promised until so many bytes fit. Raises CacheFull when they cannot."""
        with self._lock:
            now = self._clock()
            copies: list[tuple[float, int, Path]] = []
            for path in self._folder.glob("*"):
                with suppress(FileNotFoundError):
                    about = path.stat()
                    if path.suffix == ".new" and about.st_mtime < now - _UNFINISHED_SECONDS:
                        path.unlink()
                    else:
                        copies.append((about.st_mtime, about.st_size, path))
            room = self.max_bytes - sum(size for _, size, _ in copies)
            for used, size, path in sorted(copies):
                if room >= wanted or used > now:
                    break
                path.unlink(missing_ok=True)
                room += size
            if room < wanted:
                raise CacheFull(
                    f"{wanted / 1e6:.0f} MB of the archive do not fit into the cache of {self.max_bytes / 1e6:.0f} MB "
                    "(warehouse.cache_bytes) beside what is being read."
                )

    def drop(self, name: str) -> None:
        """Forget a copy."""
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Where the copy of a file lies, if there is one."""
        return self._folder / f"{_digest(name)}.parquet"


class CachedFiles:
    """Files of a remote place with copies on this machine; see Files."""

    def __init__(self, remote: RemoteFiles, cache: FileCache) -> None:
        self.remote = remote
        self.cache = cache
        self._listings: dict[Hashable, tuple[float, dict[str, int]]] = {}

    def write(self, name: str, content: bytes) -> None:
        """See Files. What was written will soon be read, so a copy of it stays if there is room."""
        self.remote.write(name, content)
        if not name.endswith(".parquet"):
            return
        with suppress(OSError):
            self.cache.make_room(len(content))
            self.cache.put(name, lambda path: _fill(path, content))

    def read(self, name: str) -> bytes:
        """See Files."""
        copy = self.cache.find(name) if name.endswith(".parquet") else None
        with suppress(FileNotFoundError):
            if copy is not None:
                return copy.read_bytes()
        return self.remote.read(name)

    def sizes(self, state: Hashable = None) -> dict[str, int]:
        """See Files."""
        now = time.monotonic()
        listed = self._listings.get(state) if state is not None else None
        if listed is not None and now - listed[0] < _LISTING_SECONDS:
            return listed[1]
        found = self.remote.sizes()
        if state is not None:
            if len(self._listings) >= _LISTINGS:
                self._listings.clear()
            self._listings[state] = now, found
        return found

    def paths(self, sizes: Mapping[str, int], *, seconds: float) -> list[str]:
        """See Files. Raises TimeoutError when it takes too long; what came meanwhile stays."""
        missing = {name: size for name, size in sizes.items() if self.cache.find(name, seconds) is None}
        if missing:
            self.cache.make_room(sum(missing.values()))
            deadline = time.monotonic() + _FETCH_SECONDS

            def fetch(name: str) -> None:
                if time.monotonic() > deadline:
                    raise TimeoutError("The files of the archive are still being fetched; ask again.")
                self.cache.put(name, lambda path: self.remote.fetch(name, path), seconds)

            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archive") as pool:
                list(pool.map(fetch, missing))
        return [str(self.cache.path(name)) for name in sizes]

    def remove(self, name: str) -> None:
        """See Files."""
        self.remote.remove(name)
        self.cache.drop(name)


def _fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _check(name: str, path: Path) -> None:
    """Raise OSError unless a file begins and ends as Parquet does: half of it may have come."""
    with path.open("rb") as file:
        first = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        last = file.read(4)
    if first != _MAGIC or last != _MAGIC:
        raise OSError(f"The archive's file {name} did not come whole.")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
