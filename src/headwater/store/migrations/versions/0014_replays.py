"""What became of a replay's deliveries is read from an index that holds no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_OF_REPLAYS = sa.text("replay_id <> ''")


def upgrade() -> None:
    op.drop_index("ix_parked_replay_id", table_name="parked")
    op.create_index(
        "ix_parked_replay",
        "parked",
        ["replay_id", "state", "destination_id", "reason"],
        unique=False,
        sqlite_where=_OF_REPLAYS,
        postgresql_where=_OF_REPLAYS,
    )
