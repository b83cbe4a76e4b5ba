"""Spaces and their identity graph; a house that is there already gets one space for all its sources"""

from __future__ import annotations

import secrets
import string
import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TYPES = (
    ("user_id", "users", 1, 1),
    ("email", "users", 5, 2),
    ("android.id", "users", 5, None),
    ("android.idfa", "users", 5, None),
    ("android.push_token", "users", 5, None),
    ("anonymous_id", "users", 5, None),
    ("ga_client_id", "users", 5, None),
    ("group_id", "accounts", 5, None),
    ("ios.id", "users", 5, None),
    ("ios.idfa", "users", 5, None),
    ("ios.push_token", "users", 5, None),
)


def upgrade() -> None:
    op.create_table(
        "spaces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identifiers", sa.JSON(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("all_sources", sa.Boolean(), nullable=False),
        sa.Column("source_ids", sa.JSON(), nullable=False),
        sa.Column("rewired", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spaces")),
        sa.UniqueConstraint("slug", name=op.f("uq_spaces_slug")),
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("canonical_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_profiles_canonical_id"), "profiles", ["canonical_id"])
    op.create_table(
        "identifiers",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "identifier", name=op.f("pk_identifiers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_identifiers_profile_id"), "identifiers", ["profile_id"])
    op.create_table(
        "merges",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("left", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("left_id", sa.Text(), nullable=False),
        sa.Column("right_id", sa.Text(), nullable=False),
        sa.Column("survivor_id", sa.Text(), nullable=False),
        sa.Column("merged_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
    )
    op.create_index(op.f("ix_merges_left_id"), "merges", ["left_id"])
    op.create_index(op.f("ix_merges_right_id"), "merges", ["right_id"])
    op.create_table(
        "kept_apart",
        sa.Column("low_id", sa.Text(), nullable=False),
        sa.Column("high_id", sa.Text(), nullable=False),
        sa.Column("merge_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_kept_apart")),
    )
    op.create_index(op.f("ix_kept_apart_high_id"), "kept_apart", ["high_id"])
    op.create_table(
        "group_links",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "account_id", name=op.f("pk_group_links")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_group_links_account_id"), "group_links", ["account_id"])
    op.create_table(
        "violations",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "id", name=op.f("pk_violations")),
        sqlite_with_rowid=False,
    )
    _make_the_first_space()


def _make_the_first_space() -> None:
    connection = op.get_bind()
    if connection.exec_driver_sql("SELECT count(*) FROM workspaces").scalar() == 0:
        return
    letters = string.ascii_letters + string.digits
    kinds = [
        {"name": name, "collection": collection, "limit": limit, "frequency": "EVER", "blocked": [], "priority": order}
        for name, collection, limit, order in _TYPES
    ]
    spaces = sa.table(
        "spaces",
        *(sa.column(name) for name in ("id", "slug", "name", "alias", "all_sources", "rewired", "created_at")),
        sa.column("identifiers", sa.JSON),
        sa.column("source_ids", sa.JSON),
    )
    connection.execute(
        spaces.insert().values(
            id="spa_" + "".join(secrets.choice(letters) for _ in range(27)),
            slug="default",
            name="Default",
            identifiers=kinds,
            alias="merge",
            all_sources=True,
            source_ids=[],
            rewired=0,
            created_at=time.time_ns() // 1_000_000,
        )
    )
    connection.exec_driver_sql("UPDATE workspaces SET version = version + 1")


def downgrade() -> None:
    for table in ("violations", "group_links", "kept_apart", "merges", "identifiers", "profiles", "spaces"):
        op.drop_table(table)
