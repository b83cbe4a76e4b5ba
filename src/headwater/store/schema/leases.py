"""Who does what only one process may do."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("held_until", sa.BigInteger, nullable=False),
)
"""`held_until` is a moment of the database's own clock; from then on anybody may take the lease."""
