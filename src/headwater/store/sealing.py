"""Which key seals the workspace's secrets: every machine must have it, or what one seals no other opens.

The workspace names the key that sealed last. A machine that does not have it would seal with one of its own, so it is
refused before it does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SetupError
from headwater.store.rotation import SEALED
from headwater.store.schema import workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store.secrets import Secrets

_SEALED_BY = re.compile(rb"\bsealed:([0-9a-f]{8}):")


def note(connection: Connection, key_id: str) -> None:
    """Remember the key that seals from now on."""
    connection.execute(workspaces.update().values(key_id=key_id))


def noted(connection: Connection) -> str:
    """The id of the key that seals; empty before there is a workspace, or when nobody has noted it."""
    return connection.execute(sa.select(workspaces.c.key_id)).scalar() or ""


def check(connection: Connection, secrets: Secrets, path: Path) -> None:
    """Raises SetupError unless the keys in the file at `path` open what is sealed here. Notes the key if nobody has."""
    key = noted(connection)
    if key:
        needed = {key}
    elif connection.execute(sa.select(workspaces.c.id)).first() is None:
        return
    else:
        needed = _sealed_by(connection)
    if needed and not any(secrets.knows(one) for one in needed):
        raise missing(path, sorted(needed)[0])
    if not key:
        note(connection, secrets.newest)


def missing(path: Path, key_id: str) -> SetupError:
    """What is said where the key is missing."""
    return SetupError(
        f"The secrets in this store are sealed with the key {key_id}, which {path} does not hold. Copy the key file of "
        "a machine that has it here, or name it with key_file. If that key is lost for good, run "
        "`headwater secrets rotate --lost` and enter the secrets again."
    )


def _sealed_by(connection: Connection) -> set[str]:
    """The keys that sealed anything; looked for once, in a store from before they were noted."""
    found: set[str] = set()
    for column in SEALED:
        for value in connection.execute(sa.select(column)).scalars():
            found |= {one.decode() for one in _SEALED_BY.findall(msgspec.json.encode(value))}
    return found
