"""What became of a replay's deliveries, and what ended long ago, is read from indexes that hold no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_OF_REPLAYS = sa.text("replay_id <> ''")
_ENDED = sa.text("ended_at IS NOT NULL")


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
    op.create_index(
        "ix_parked_ended", "parked", ["ended_at"], unique=False, sqlite_where=_ENDED, postgresql_where=_ENDED
    )
