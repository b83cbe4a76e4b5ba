"""The history of the tables (Alembic), and the one verb that brings a database up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_FOLDER = Path(__file__).parent


def upgrade(engine: Engine) -> None:
    """Apply every migration that the database lacks, one process at a time."""
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4207849484)")
        if not _is_current(connection):
            _apply(connection)


def newest() -> str:
    """The revision of this version's tables: the files of `versions` are named by it, in order."""
    return max(path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py"))


def _is_current(connection: Connection) -> bool:
    """Alembic takes longer to import than everything else in a start, and most starts have nothing to migrate."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == newest()


def _apply(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
