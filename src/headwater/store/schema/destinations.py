"""Where events go: destinations with their subscriptions and filters, and replays."""

from __future__ import annotations

import sqlalchemy as sa

from headwater.store.schema.metadata import metadata

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
    sa.Column("tokens_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "destination_id", sa.Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("mapping", sa.JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("hooks", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

destination_filters = sa.Table(
    "destination_filters",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "destination_id", sa.Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("actions", sa.JSON, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

authorizations = sa.Table(
    "authorizations",
    metadata,
    sa.Column("destination_id", sa.Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tokens", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("claimed_by", sa.Text, nullable=False, server_default=""),
    sa.Column("claimed_until", sa.BigInteger, nullable=False, server_default="0"),
)
"""The OAuth tokens of a destination, each value sealed; `state` is `granted` or `refused`, or empty before either.

`expires_at` is when the access token ends, 0 when nobody said; `paused` says that their refusal paused the destination.
Whoever refreshes holds the claim until it is over.
"""

authorization_links = sa.Table(
    "authorization_links",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column(
        "destination_id", sa.Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("redirect_url", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""Authorizations that somebody began and has not come back from: the digest of the `state`, and the sealed verifier."""

oauth_apps = sa.Table(
    "oauth_apps",
    metadata,
    sa.Column("definition", sa.Text, primary_key=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
"""The operator's own app at each vendor: its id, its sealed secret, its addresses and scopes."""

replays = sa.Table(
    "replays",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("destination_ids", sa.JSON, nullable=False),
    sa.Column("query", sa.JSON, nullable=False),
    sa.Column("per_second", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("found", sa.BigInteger, nullable=False),
    sa.Column("read", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    sa.Column("filtered", sa.BigInteger, nullable=False),
    sa.Column("place", sa.JSON, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger, nullable=True),
)
"""Replays from the archive: `query` says which events, `place` where the reading stands.

`state` is waiting, running, paused, ended, cancelled or failed. `found` is how many events there are, -1 before they
are counted, `read` how many of them were read. Of all destinations together, `sent` deliveries were made out and
`filtered` were kept back.
"""
