"""What people want to be sent."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

messaging_subscriptions = sa.Table(
    "messaging_subscriptions",
    metadata,
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("group_name", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
"""`type` is the channel and `key` the address, number or token; with an empty `group_name` it is about the channel."""
