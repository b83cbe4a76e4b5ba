"""Subscriptions, destination filters, authorizations, replays and labels; deliveries are of a subscription"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_BOOKS = {
    "ledger": ("minute", "source_id", "destination_id", "step", "reason"),
    "ledger_spans": ("span", "minute", "source_id", "destination_id", "step", "reason"),
}


def upgrade() -> None:
    _of_destinations()
    _of_the_operator()
    with op.batch_alter_table("destinations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tokens_version", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("parked", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subscription_id", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("replay_id", sa.Text(), nullable=False, server_default=""))
        batch_op.drop_constraint("uq_parked_delivery", type_="unique")
        batch_op.create_index(batch_op.f("ix_parked_replay_id"), ["replay_id"], unique=False)
    for name, key in _BOOKS.items():
        _widen(name, key)


def _of_destinations() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hooks", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index(op.f("ix_subscriptions_destination_id"), "subscriptions", ["destination_id"], unique=False)
    op.create_table(
        "destination_filters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destination_filters")),
    )
    op.create_index(
        op.f("ix_destination_filters_destination_id"), "destination_filters", ["destination_id"], unique=False
    )
    op.create_table(
        "authorizations",
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("destination_id", name=op.f("pk_authorizations")),
    )


def _of_the_operator() -> None:
    op.create_table(
        "oauth_apps",
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("definition", name=op.f("pk_oauth_apps")),
    )
    op.create_table(
        "replays",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("destination_ids", sa.JSON(), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("per_second", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("filtered", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_table(
        "labels",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "value", name=op.f("pk_labels")),
    )


def _widen(name: str, key: tuple[str, ...]) -> None:
    """Count by subscription too. SQLite cannot change a primary key, so there the table is made anew."""
    if op.get_bind().dialect.name != "sqlite":
        op.add_column(name, sa.Column("subscription_id", sa.Text(), nullable=False, server_default=""))
        op.drop_constraint(f"pk_{name}", name, type_="primary")
        op.create_primary_key(f"pk_{name}", name, [*key, "subscription_id"])
        return
    op.rename_table(name, f"{name}_before")
    _make_books(name, (*key, "subscription_id"))
    columns = ", ".join((*key, "events"))
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before")  # noqa: S608 - names of this file
    op.drop_table(f"{name}_before")


def _make_books(name: str, key: tuple[str, ...]) -> None:
    columns = [
        sa.Column(column, sa.Integer() if column == "span" else sa.BigInteger(), nullable=False)
        if column in ("span", "minute")
        else sa.Column(column, sa.Text(), nullable=False, server_default="" if column == "subscription_id" else None)
        for column in key
    ]
    op.create_table(
        name,
        *columns,
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=name != "ledger_spans",
    )


def downgrade() -> None:
    with op.batch_alter_table("parked", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_parked_replay_id"))
    op.execute("DELETE FROM parked WHERE subscription_id <> '' OR replay_id <> ''")
    with op.batch_alter_table("parked", schema=None) as batch_op:
        batch_op.create_unique_constraint("uq_parked_delivery", ["destination_id", "partition", "position"])
        batch_op.drop_column("replay_id")
        batch_op.drop_column("subscription_id")
    with op.batch_alter_table("destinations", schema=None) as batch_op:
        batch_op.drop_column("tokens_version")
    for name, key in _BOOKS.items():
        _narrow(name, key)
    for table in ("labels", "replays", "oauth_apps", "authorizations", "destination_filters", "subscriptions"):
        op.drop_table(table)


def _narrow(name: str, key: tuple[str, ...]) -> None:
    columns = ", ".join(key)
    sums = f"SELECT {columns}, sum(events) FROM {name}_before GROUP BY {columns}"  # noqa: S608 - names of this file
    op.rename_table(name, f"{name}_before")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(f"pk_{name}", f"{name}_before", type_="primary")
    _make_books(name, key)
    op.execute(f"INSERT INTO {name} ({columns}, events) {sums}")
    op.drop_table(f"{name}_before")
