"""Tokens that read the profiles of one space"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("space_id", sa.Text(), nullable=True))
        batch_op.create_foreign_key("fk_tokens_space_id", "spaces", ["space_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    op.execute("DELETE FROM tokens WHERE kind = 'space'")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_constraint("fk_tokens_space_id", type_="foreignkey")
        batch_op.drop_column("space_id")
