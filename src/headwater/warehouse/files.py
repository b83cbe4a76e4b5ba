"""Where the archive's files are: a folder, or anything that fsspec reaches. A file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol


class Files(Protocol):
    """A place for files under names with slashes. All verbs block; they raise OSError when the place is away."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, durable when this returns; one of that name is replaced."""
        ...

    def read(self, name: str) -> bytes:
        """A file's content."""
        ...

    def sizes(self) -> dict[str, int]:
        """All files by name with their sizes in bytes."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens when it is gone already."""
        ...


def open_files(url: str, folder: Path) -> Files:
    """The place that a URL names; empty: the folder."""
    return RemoteFiles(url) if url else LocalFiles(folder)


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

    def sizes(self) -> dict[str, int]:
        """See Files."""
        found = (path for path in self.folder.rglob("*.parquet") if not path.name.startswith("."))
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in found}

    def remove(self, name: str) -> None:
        """See Files."""
        (self.folder / name).unlink(missing_ok=True)


class RemoteFiles:
    """A place of fsspec, such as an object store, where a file appears when its upload is complete."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        filesystem, root = url_to_fs(url)
        self.filesystem: Any = filesystem
        self.root = str(root).rstrip("/")

    def write(self, name: str, content: bytes) -> None:
        """See Files."""
        path = f"{self.root}/{name}"
        with _reaching():
            self.filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.filesystem.pipe_file(path, content)

    def read(self, name: str) -> bytes:
        """See Files."""
        with _reaching():
            content: bytes = self.filesystem.cat_file(f"{self.root}/{name}")
        return content

    def sizes(self) -> dict[str, int]:
        """See Files."""
        with _reaching():
            self.filesystem.invalidate_cache()
            if not self.filesystem.exists(self.root):
                return {}
            found: dict[str, dict[str, Any]] = self.filesystem.find(self.root, detail=True)
        start = len(self.root) + 1
        return {path[start:]: int(about["size"] or 0) for path, about in found.items() if path.endswith(".parquet")}

    def remove(self, name: str) -> None:
        """See Files."""
        try:
            with _reaching():
                self.filesystem.rm_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return


@contextmanager
def _reaching() -> Generator[None]:
    """Errors of a file system's own library, such as botocore's when S3 is away, are an OSError to everybody else."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__ == "builtins":
            raise
        raise OSError(f"{type(error).__name__}: {error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
