"""What is known of profiles"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "known_profiles",
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "partition", name=op.f("pk_known_profiles")),
    )


def downgrade() -> None:
    op.drop_table("known_profiles")
