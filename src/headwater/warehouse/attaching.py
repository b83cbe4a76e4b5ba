"""DuckDB files, opened by instances of DuckDB that stay: to make one takes three times as long as a small load.

A file is attached for no longer than it is written to, since whoever else wants it has to wait. Inside the process one
at a time has it: the kernel's lock on a file is given up when any of a process's handles to it is closed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from headwater.spec.errors import SetupError, Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    # A load is too short for several threads to help each other; they would wait, and burn what others need.
    "threads": 1,
    # Who commits puts the rows into the tables at once, as closing would; otherwise they are written twice.
    "checkpoint_threshold": "1KB",
}
_NAME: Final = '"the warehouse"'
"""What the file is called while it is attached: no schema can be called so."""

_WAIT_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.1
_KEPT: Final = 4


class _Opener:
    """Opens one file again and again. Whoever uses it holds `lock`."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self._path = path
        self._instance: DuckDBPyConnection | None = None

    def open(self) -> DuckDBPyConnection:
        """Attach the file, waiting while another process has it open."""
        import duckdb

        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._instance is None:
            self._instance = duckdb.connect(":memory:", config={**_CONFIG, "temp_directory": f"{self._path}.tmp"})
        place = str(self._path).replace("'", "''")
        patience = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                self._instance.execute(f"ATTACH '{place}' AS {_NAME} (TYPE duckdb)")
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise SetupError(f"The DuckDB file cannot be opened: {first_line(error)}") from error
                if time.monotonic() > patience:
                    raise Unavailable("The DuckDB file is held open by another process.", retry_after=5.0) from error
                time.sleep(_PAUSE_SECONDS)
            except duckdb.Error as error:
                raise SetupError(f"The DuckDB file cannot be opened: {first_line(error)}") from error
            else:
                return self._instance.execute(f"USE {_NAME}")

    def close(self) -> None:
        """Let go of the file."""
        if self._instance is not None:
            self._instance.execute("USE memory")
            self._instance.execute(f"DETACH {_NAME}")

    def end(self) -> None:
        """Let go of the file and of whatever else there is, when something went wrong."""
        if self._instance is not None:
            self._instance.close()
            self._instance = None


_openers: WeakValueDictionary[Path, _Opener] = WeakValueDictionary()
_lately: OrderedDict[Path, _Opener] = OrderedDict()
_guard = threading.Lock()


@contextmanager
def attached(path: Path) -> Generator[DuckDBPyConnection]:
    """A connection to the file, which is made if need be.

    Raises SetupError when it cannot be opened, and Unavailable when somebody else does not let go of it.
    """
    opener = _opener_of(path.resolve())
    if not opener.lock.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable("The DuckDB file is being written to.", retry_after=5.0)
    try:
        yield opener.open()
        opener.close()
    except BaseException:
        opener.end()
        raise
    finally:
        opener.lock.release()


def _opener_of(path: Path) -> _Opener:
    """The only opener of a file as long as anybody uses it; a few are kept beyond that."""
    with _guard:
        opener = _openers.get(path)
        if opener is None:
            opener = _openers[path] = _Opener(path)
        _lately[path] = opener
        _lately.move_to_end(path)
        if len(_lately) > _KEPT:
            _lately.popitem(last=False)
        return opener


def first_line(error: Exception) -> str:
    """What DuckDB says, without its hints."""
    return str(error).partition("\n")[0]
