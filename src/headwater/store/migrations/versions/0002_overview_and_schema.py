"""Sums over longer spans, the newest of each step, ages of deliveries, and the events seen so far"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SPANS = (5, 60)


def upgrade() -> None:
    op.create_table(
        "ledger_spans",
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "span", "minute", "source_id", "destination_id", "step", "reason", name=op.f("pk_ledger_spans")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "standings",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "destination_id", "step", name=op.f("pk_standings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ages",
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span", "minute", "source_id", "destination_id", "bucket", name=op.f("pk_ages")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_names",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("overflow", sa.Boolean(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "type", "name", "overflow", name=op.f("pk_event_names")),
    )
    op.create_table(
        "event_samples",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sampled", sa.BigInteger(), nullable=False),
        sa.Column("sampled_at", sa.BigInteger(), nullable=False),
        sa.Column("paths", sa.JSON(), nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "type", "name", name=op.f("pk_event_samples")),
    )
    for span in _SPANS:
        op.execute(
            f"""
            INSERT INTO ledger_spans (span, minute, source_id, destination_id, step, reason, events)
            SELECT {span}, minute - minute % {span}, source_id, destination_id, step, reason, sum(events)
            FROM ledger GROUP BY 2, 3, 4, 5, 6
            """  # noqa: S608 - only numbers of this file
        )
    op.execute(
        """
        INSERT INTO standings (source_id, destination_id, step, events, at, reason)
        SELECT source_id, destination_id, step, sum(events), max(minute) * 60000, '' FROM ledger GROUP BY 1, 2, 3
        """
    )


def downgrade() -> None:
    for table in ("event_samples", "event_names", "ages", "standings", "ledger_spans"):
        op.drop_table(table)
