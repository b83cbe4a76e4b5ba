"""Authorizations that are under way, when access tokens end, and who refreshes them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "authorization_links",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authorization_links")),
    )
    op.create_index(
        op.f("ix_authorization_links_destination_id"), "authorization_links", ["destination_id"], unique=False
    )
    with op.batch_alter_table("authorizations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("expires_at", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("claimed_by", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("claimed_until", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("authorizations", schema=None) as batch_op:
        for name in ("claimed_until", "claimed_by", "paused", "expires_at"):
            batch_op.drop_column(name)
    op.drop_table("authorization_links")
