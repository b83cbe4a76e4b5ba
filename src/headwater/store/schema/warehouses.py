"""Warehouses, of sources and of people, and how far they are loaded."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

warehouses = sa.Table(
    "warehouses",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("all_sources", sa.Boolean, nullable=False),
    sa.Column("source_ids", sa.JSON, nullable=False),
    sa.Column("without_source_ids", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

loads = sa.Table(
    "loads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("warehouse_id", sa.Text, nullable=False, index=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger, nullable=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("notices", sa.JSON, nullable=False),
)
"""The history of warehouse loads: `state` is running, success, partial or failure."""

profiles_warehouses = sa.Table(
    "profiles_warehouses",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("schema_name", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("event_tables", sa.Boolean, nullable=False),
    sa.Column("without_tables", sa.JSON, nullable=False),
    sa.Column("resumed", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
"""Warehouses of the people of one space (spec.workspace.ProfilesWarehouse)."""

profiles_syncs = sa.Table(
    "profiles_syncs",
    metadata,
    sa.Column("warehouse_id", sa.Text, sa.ForeignKey("profiles_warehouses.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("scanned_to", sa.Text, nullable=False),
    sa.Column("scanned", sa.Boolean, nullable=False),
    sa.Column("rewired", sa.BigInteger, nullable=False),
    sa.Column("worked_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("worked_id", sa.Text, nullable=False, server_default=""),
)
"""How far a profiles warehouse knows what was there before it: the last profile scanned, whether that was all, and
which of the space's undone merges it has heard of (`spaces.rewired`). `worked_at` and `worked_id` are the place among
`profile_standings`, in the order of their moments, up to which it has the values of computations."""
