"""The tables. Moments are milliseconds since 1970 (UTC) in BIGINT; ids are text; JSON is JSON.

Statements keep to what SQLite, PostgreSQL and its relatives all speak. `store/migrations` makes these tables; a test
holds the two against each other.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("events_per_second", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

write_keys = sa.Table(
    "write_keys",
    metadata,
    sa.Column("write_key", sa.Text, primary_key=True),
    sa.Column("source_id", sa.Text, sa.ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

destinations = sa.Table(
    "destinations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source_id", sa.Text, sa.ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

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

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=True),
    sa.Column("kind", sa.Text, nullable=False, server_default="token"),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("parent_id", sa.Text, sa.ForeignKey("tokens.id", ondelete="CASCADE"), nullable=True),
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), nullable=True),
)
"""`kind` is token, session or space.

A session is of a user or of a parent token, whose scopes it has instead of its own. A token of a space has no scopes
but those of the Profile API.
"""

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=True),
    sa.Column("permissions", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("signed_in_at", sa.BigInteger, nullable=True),
)
"""`email` is in lower case; `digest` is of the password, without which nobody signs in; `permissions` are role ids."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("resource_type", sa.Text, nullable=False),
    sa.Column("resource_id", sa.Text, nullable=False),
    sa.Column("resource_name", sa.Text, nullable=False),
)

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
    sa.UniqueConstraint("destination_id", "partition", "position", name="uq_parked_delivery"),
    sa.Index("ix_parked_due", "state", "destination_id", "due_at"),
)
"""Deliveries that failed or overflowed: `state` is waiting, delivered or failed; `notes` holds its attempts.

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

spaces = sa.Table(
    "spaces",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("identifiers", sa.JSON, nullable=False),
    sa.Column("alias", sa.Text, nullable=False),
    sa.Column("all_sources", sa.Boolean, nullable=False),
    sa.Column("source_ids", sa.JSON, nullable=False),
    sa.Column("rewired", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("filters", sa.JSON, nullable=False, server_default="[]"),
)
"""`identifiers` are the rules of each identifier type, `filters` keep events out (spec.space).

`rewired` grows with every merge undone and every identifier removed.
"""

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("canonical_id", sa.Text, nullable=False, index=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""`canonical_id` is the oldest profile that merges connect it with, its own id if there is none.

`version` grows, in the canonical profile, whenever what belongs to it changes.
"""

identifiers = sa.Table(
    "identifiers",
    metadata,
    sa.Column("space_id", sa.Text, primary_key=True),
    sa.Column("identifier", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), primary_key=True),
    sa.Column("profile_id", sa.Text, nullable=False, index=True),
    sa.Column("added_at", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""`identifier` is `type:value`, `profile_id` the profile that it was first given to; that never changes."""

merges = sa.Table(
    "merges",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, nullable=False),
    sa.Column("left", sa.Text, nullable=False),
    sa.Column("right", sa.Text, nullable=False),
    sa.Column("left_id", sa.Text, nullable=False, index=True),
    sa.Column("right_id", sa.Text, nullable=False, index=True),
    sa.Column("survivor_id", sa.Text, nullable=False),
    sa.Column("merged_id", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("undone_at", sa.BigInteger, nullable=True),
)
"""Each merge as spec.graph.Merge has it. One that is undone stays, and is in force no more."""

kept_apart = sa.Table(
    "kept_apart",
    metadata,
    sa.Column("low_id", sa.Text, primary_key=True),
    sa.Column("high_id", sa.Text, primary_key=True, index=True),
    sa.Column("merge_id", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Two profiles that must never be one, because their merge was undone."""

group_links = sa.Table(
    "group_links",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("account_id", sa.Text, primary_key=True, index=True),
    sa.Column("cause", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Who belongs to which company, both as the profiles that the identifiers were first given to."""

account_parents = sa.Table(
    "account_parents",
    metadata,
    sa.Column("space_id", sa.Text, nullable=False),
    sa.Column("child_id", sa.Text, primary_key=True),
    sa.Column("parent_id", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Which company another belongs to, both as the profiles that the identifiers were first given to.

`parent_id` is empty where an event took the parent away; `at` is when the newest event that told of it happened.
"""

removed_identifiers = sa.Table(
    "removed_identifiers",
    metadata,
    sa.Column("space_id", sa.Text, primary_key=True),
    sa.Column("identifier", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), primary_key=True),
    sa.Column("removed_at", sa.BigInteger, primary_key=True),
    sa.Column("profile_id", sa.Text, nullable=False, index=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("removed_by", sa.Text, nullable=False),
    sa.Index("ix_removed_identifiers_since", "space_id", "removed_at"),
    sqlite_with_rowid=False,
)
"""Identifiers that somebody took from their profile, as they were; `removed_by` is who did, as the trail names them."""

violations = sa.Table(
    "violations",
    metadata,
    sa.Column("space_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("profile_id", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The newest identifiers that were left out and events that were kept out; ids sort by their moments."""

known_profiles = sa.Table(
    "known_profiles",
    metadata,
    sa.Column("profile_id", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("state", sa.LargeBinary, nullable=False),
)
"""What each partition's events say of a profile, as bytes whose reading is the caller's; a profile is all of them."""

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
)
"""The values of computations that a canonical profile has, and who was told; bytes whose reading is the caller's."""

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
)
"""How far a profiles warehouse knows what was there before it: the last profile scanned, whether that was all, and
which of the space's undone merges it has heard of (`spaces.rewired`)."""

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
