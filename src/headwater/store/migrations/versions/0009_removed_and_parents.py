"""Identifiers that were removed, and companies that belong to companies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "account_parents",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("child_id", name=op.f("pk_account_parents")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_account_parents_parent_id"), "account_parents", ["parent_id"])
    op.create_table(
        "removed_identifiers",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("removed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "identifier", "removed_at", name=op.f("pk_removed_identifiers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_removed_identifiers_profile_id"), "removed_identifiers", ["profile_id"])
    op.create_index("ix_removed_identifiers_since", "removed_identifiers", ["space_id", "removed_at"])


def downgrade() -> None:
    for table in ("removed_identifiers", "account_parents"):
        op.drop_table(table)
