"""What became of events: parked deliveries, the books, and what was seen."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.Text, nullable=False),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False, index=True),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("event_name", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("counted_at", sa.BigInteger, nullable=False),
    sa.Column("parked_reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
    sa.Column("parked_at", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger, nullable=True),
    sa.Column("subscription_id", sa.Text, nullable=False, server_default=""),
    sa.Column("replay_id", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_parked_due", "state", "destination_id", "due_at"),
    sa.Index(
        "ix_parked_ended",
        "ended_at",
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_parked_replay",
        *("replay_id", "state", "destination_id", "reason"),
        sqlite_where=sa.text("replay_id <> ''"),
        postgresql_where=sa.text("replay_id <> ''"),
    ),
)
"""Deliveries that failed, overflowed or were replayed: `state` is waiting, delivered or failed; `notes` its attempts.

State, reason and `counted_at` name the one count of the ledger in which the delivery stands (`store/parked.py`);
`parked_reason` and `parked_at` name the count that it came from.
"""

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("subscription_id", sa.Text, primary_key=True, server_default=""),
    sa.Column("events", sa.BigInteger, nullable=False),
)
"""Counts of spec.outcome.Count, added up; `destination_id` is empty for the steps of the source."""

ledger_spans = sa.Table(
    "ledger_spans",
    metadata,
    sa.Column("span", sa.Integer, primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("subscription_id", sa.Text, primary_key=True, server_default=""),
    sa.Column("events", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The ledger again, added up over `span` minutes from `minute` on, so that a day is read in a few thousand rows."""

standings = sa.Table(
    "standings",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Of all time: how many events of a source and destination met a step, and when and why the newest did."""

ages = sa.Table(
    "ages",
    metadata,
    sa.Column("span", sa.Integer, primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.Text, primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How old events were when they were delivered (spec.ages), added up over `span` minutes from `minute` on."""

event_names = sa.Table(
    "event_names",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("overflow", sa.Boolean, primary_key=True),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("first_at", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
)
"""Which events each source has sent so far. Names beyond the limit stand together in a row with `overflow`."""

event_samples = sa.Table(
    "event_samples",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sampled", sa.BigInteger, nullable=False),
    sa.Column("sampled_at", sa.BigInteger, nullable=False),
    sa.Column("paths", sa.JSON, nullable=False),
    sa.Column("event", sa.LargeBinary, nullable=False),
)
"""What was in the events that were looked at: properties or traits by path, and the newest of these events."""

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)
"""Places in the log up to which something in this database is derived, changed in the same transaction as that."""
