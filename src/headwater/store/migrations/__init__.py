"""The history of the tables (Alembic), and the one verb that brings a database up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_FOLDER = Path(__file__).parent


def upgrade(engine: Engine, *, step_by_step: bool = False) -> None:
    """Bring the tables of a database to this version, one process at a time.

    An empty one gets them at once, unless it is to go `step_by_step` through its whole history; any other gets every
    migration that it lacks.
    """
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4207849484)")
        if not step_by_step and not sa.inspect(connection).get_table_names():
            _make(connection)
        elif not _is_current(connection):
            _apply(connection)


def newest() -> str:
    """The revision of this version's tables: the files of `versions` are named by it, in order."""
    return max(path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py"))


def _is_current(connection: Connection) -> bool:
    """Alembic takes longer to import than everything else in a start, and most starts have nothing to migrate."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == newest()


def _make(connection: Connection) -> None:
    """Make all tables as they are now, and note the revision as Alembic would."""
    metadata.create_all(connection)
    version = sa.Table(
        "alembic_version",
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )
    version.create(connection)
    connection.execute(version.insert().values(version_num=newest()))


def _apply(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
