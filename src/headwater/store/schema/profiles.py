"""Spaces, the identity graph, and what is known of each profile."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

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

csv_uploads = sa.Table(
    "csv_uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.Text, sa.ForeignKey("spaces.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("taken", sa.BigInteger, nullable=False),
    sa.Column("discarded", sa.JSON, nullable=False),
    sa.Column("flaws", sa.JSON, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger, nullable=False),
    sa.Index("ix_csv_uploads_space", "space_id", "created_at"),
)
"""Files of people that were uploaded in the last 30 days, as spec.csv_upload.CsvUpload has them."""
