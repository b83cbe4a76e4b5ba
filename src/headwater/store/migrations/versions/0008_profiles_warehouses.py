"""Warehouses of the people of a space"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "profiles_warehouses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("event_tables", sa.Boolean(), nullable=False),
        sa.Column("without_tables", sa.JSON(), nullable=False),
        sa.Column("resumed", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles_warehouses")),
    )
    op.create_table(
        "profiles_syncs",
        sa.Column("warehouse_id", sa.Text(), nullable=False),
        sa.Column("scanned_to", sa.Text(), nullable=False),
        sa.Column("scanned", sa.Boolean(), nullable=False),
        sa.Column("rewired", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["warehouse_id"], ["profiles_warehouses.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("warehouse_id", name=op.f("pk_profiles_syncs")),
    )


def downgrade() -> None:
    op.drop_table("profiles_syncs")
    op.drop_table("profiles_warehouses")
