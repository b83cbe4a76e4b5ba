"""What a house needs to run in parts, each role on a host of its own: everything that they share must be elsewhere."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from headwater.app.shapes import ROLE_NAMES
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

_NEVER_LOOK = frozenset({"collect"})
"""Roles that have nothing to do with the archive."""


def apart(settings: Settings, roles: Collection[str]) -> Settings:
    """The settings with which these roles run here, while the others run on other hosts.

    Raises SetupError for what would seem to work and lose data: a store or an archive that only this host sees.
    """
    if not settings.log.shared or set(roles) == set(ROLE_NAMES):
        return settings
    if settings.store.url.partition(":")[0] in ("", "sqlite"):
        raise SetupError(
            "Roles on hosts of their own share one store, and SQLite is a file of this one. Set store.url to "
            "postgresql://user@host/database, the same for every role."
        )
    if not settings.warehouse.archive_url and not set(roles) <= _NEVER_LOOK:
        raise SetupError(
            "Roles on hosts of their own share one archive, and without warehouse.archive_url it is a folder of this "
            "one. Set it to s3://bucket/prefix, or to file:///a/folder that every host mounts, the same for every role."
        )
    shared = msgspec.structs.replace(settings.warehouse, duckdb=False, default_duckdb=False)
    return msgspec.structs.replace(settings, warehouse=shared)
