"""The history of the tables (Alembic), and the one verb that brings a database up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def upgrade(engine: Engine) -> None:
    """Apply every migration that the database lacks, one process at a time."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4207849484)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
