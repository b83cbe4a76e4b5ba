"""The data folder: made for its owner, and held by one house at a time, or by roles of which none runs there twice."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from headwater.spec.errors import SetupError

_LOCK = "lock"
_PATIENCE_SECONDS = 40.0
"""Longer than the processes of a house that died take to finish what they hold."""


def make(folder: Path) -> None:
    """Make the folder where it is missing. Raises SetupError when it cannot be used.

    What is kept there is personal data; a folder that stands already keeps the rights that its owner gave it, but no
    file that this process makes from here on is for everybody.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The data folder {folder.absolute()} cannot be used: {error.strerror or error}. "
            "Choose another with --data, or let its owner start the house."
        ) from error
    os.umask(os.umask(0o077) | 0o007)


def hold(folder: Path, *, patience: float = _PATIENCE_SECONDS) -> int | None:
    """Make the folder and lock it for this house, until this process and all that inherit the handle have ended.

    Two houses on one folder would each process every event. Processes that a house left behind when it was killed are
    waited for, so many seconds. Raises SetupError when a house is running there. None where there are no such locks.
    """
    make(folder)
    return _lock(folder, _LOCK, "A house", patience=patience)


def hold_roles(folder: Path, roles: Sequence[str], *, patience: float = _PATIENCE_SECONDS) -> list[int]:
    """Make the folder and lock it for roles of this process, until it has ended.

    A role keeps what is its own there: the index of messageIds, work that a machine left unfinished. Processes of
    different roles may share a folder; a second one of the same role needs a folder of its own. Raises SetupError when
    a whole house or another process with one of the roles is running there. Empty where there are no such locks.
    """
    make(folder)
    handles = [_lock(folder, _LOCK, "A house", patience=patience, shared=True)]
    handles += [_lock(folder, f"{_LOCK}-{role}", f"The role {role}", patience=patience) for role in roles]
    return [handle for handle in handles if handle is not None]


def _lock(folder: Path, name: str, what: str, *, patience: float, shared: bool = False) -> int | None:
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SetupError(f"The data folder {folder.absolute()} cannot be locked: {error.strerror}.") from error
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = _holder(handle)
            if time.monotonic() > until or _runs(holder):
                os.close(handle)
                raise SetupError(
                    f"{what} is running on the data folder {folder.absolute()} already (process {holder}). "
                    "Stop it, or choose another folder with --data or HEADWATER_DATA."
                ) from None
            time.sleep(0.1)
        except OSError:  # a file system without locks
            os.close(handle)
            return None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _holder(handle: int) -> int:
    text = os.pread(handle, 20, 0)
    return int(text) if text.isdigit() else 0


def _runs(process: int) -> bool:
    """Does it? One that just took the lock may not have written its number yet."""
    if not process:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
