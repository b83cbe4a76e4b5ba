"""Audiences and computed traits, where each profile stands, and who is to be told."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

computations = sa.Table(
    "computations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("known_by", sa.JSON, nullable=False),
    sa.Column("history", sa.Boolean, nullable=False),
    sa.Column("history_days", sa.BigInteger, nullable=False),
    sa.Column("connections", sa.JSON, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("space_id", "key", name="uq_computations_key"),
)
"""Audiences and computed traits, as spec.computation.Computation has them."""

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("computation_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("run", sa.LargeBinary, nullable=False),
)
"""How far each computation's version has come (spec.computation.Run); written by whoever computes, and only there."""

counted = sa.Table(
    "counted",
    metadata,
    sa.Column("profile_id", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("states", sa.LargeBinary, nullable=False),
)
"""What each partition's events count for computations, beside known_profiles; a profile is all of them."""

standings_of_profiles = sa.Table(
    "profile_standings",
    metadata,
    sa.Column("profile_id", sa.Text, primary_key=True),
    sa.Column("standing", sa.LargeBinary, nullable=False),
    sa.Column("written_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_profile_standings_written_at_profile_id", "written_at", "profile_id"),
)
"""The values of computations that a canonical profile has, and who was told; bytes whose reading is the caller's.

`written_at` is the minute (as ms) in which that was written, 0 for what was there before this was noted."""

due_profiles = sa.Table(
    "due_profiles",
    metadata,
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("profile_id", sa.Text, primary_key=True),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Index("ix_due_profiles_partition_due_at", "partition", "due_at"),
)
"""When a profile is to be looked at again although nothing comes; the partition's owner does it."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("partition", sa.Integer, nullable=False, index=True),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
)
"""Calls that are to be appended to `collected`, in their order; removed once they are there."""

moves = sa.Table(
    "moves",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("computation_id", sa.Text, nullable=False),
    sa.Column("profile_id", sa.Text, nullable=False),
    sa.Column("entered", sa.Boolean, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("ix_moves_computation_id_id", "computation_id", "id"),
)
"""Who entered and left audiences lately."""

sizes = sa.Table(
    "sizes",
    metadata,
    sa.Column("computation_id", sa.Text, primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("entered", sa.BigInteger, nullable=False),
    sa.Column("exited", sa.BigInteger, nullable=False),
)
"""How large each computation was at the end of each hour (hours since 1970), and what moved in it."""

sql_traits = sa.Table(
    "sql_traits",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sql", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("every_minutes", sa.BigInteger, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("last_run", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
"""Queries whose rows become traits, as spec.sql_trait.SqlTrait has them."""
