"""When the values of a profile were written, and how far a profiles warehouse has them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    with op.batch_alter_table("profile_standings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("written_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        op.f("ix_profile_standings_written_at_profile_id"), "profile_standings", ["written_at", "profile_id"]
    )
    with op.batch_alter_table("profiles_syncs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("worked_at", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("worked_id", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("profiles_syncs", schema=None) as batch_op:
        for name in ("worked_id", "worked_at"):
            batch_op.drop_column(name)
    op.drop_index(op.f("ix_profile_standings_written_at_profile_id"), table_name="profile_standings")
    with op.batch_alter_table("profile_standings", schema=None) as batch_op:
        batch_op.drop_column("written_at")
