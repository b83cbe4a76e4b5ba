"""Users, and sessions among the tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="token"))
        batch_op.add_column(sa.Column("user_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("parent_id", sa.Text(), nullable=True))
        batch_op.create_foreign_key("fk_tokens_user_id", "users", ["user_id"], ["id"], ondelete="CASCADE")
        batch_op.create_foreign_key("fk_tokens_parent_id", "tokens", ["parent_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    op.execute("DELETE FROM tokens WHERE kind <> 'token'")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_constraint("fk_tokens_parent_id", type_="foreignkey")
        batch_op.drop_constraint("fk_tokens_user_id", type_="foreignkey")
        batch_op.drop_column("parent_id")
        batch_op.drop_column("user_id")
        batch_op.drop_column("kind")
    op.drop_table("users")
