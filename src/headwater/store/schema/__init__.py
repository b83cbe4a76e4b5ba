"""The tables. Moments are milliseconds since 1970 (UTC) in BIGINT; ids are text; JSON is JSON.

Statements keep to what SQLite, PostgreSQL and its relatives all speak. `store/migrations` makes these tables; a test
holds the two against each other.
"""

from headwater.store.schema.computations import (
    computations,
    counted,
    due_profiles,
    moves,
    outbox,
    runs,
    sizes,
    sql_traits,
    standings_of_profiles,
)
from headwater.store.schema.deliveries import (
    ages,
    cursors,
    event_names,
    event_samples,
    ledger,
    ledger_spans,
    parked,
    standings,
)
from headwater.store.schema.destinations import (
    authorization_links,
    authorizations,
    destination_filters,
    destinations,
    oauth_apps,
    replays,
    subscriptions,
)
from headwater.store.schema.leases import leases
from headwater.store.schema.messaging import messaging_subscriptions
from headwater.store.schema.metadata import metadata
from headwater.store.schema.profiles import (
    account_parents,
    csv_uploads,
    group_links,
    identifiers,
    kept_apart,
    known_profiles,
    merges,
    profiles,
    removed_identifiers,
    spaces,
    violations,
)
from headwater.store.schema.warehouses import (
    loads,
    profiles_syncs,
    profiles_warehouses,
    warehouses,
)
from headwater.store.schema.workspace import (
    audit,
    labels,
    sources,
    tokens,
    users,
    workspaces,
    write_keys,
)

__all__ = [
    "account_parents",
    "ages",
    "audit",
    "authorization_links",
    "authorizations",
    "computations",
    "counted",
    "csv_uploads",
    "cursors",
    "destination_filters",
    "destinations",
    "due_profiles",
    "event_names",
    "event_samples",
    "group_links",
    "identifiers",
    "kept_apart",
    "known_profiles",
    "labels",
    "leases",
    "ledger",
    "ledger_spans",
    "loads",
    "merges",
    "messaging_subscriptions",
    "metadata",
    "moves",
    "oauth_apps",
    "outbox",
    "parked",
    "profiles",
    "profiles_syncs",
    "profiles_warehouses",
    "removed_identifiers",
    "replays",
    "runs",
    "sizes",
    "sources",
    "spaces",
    "sql_traits",
    "standings",
    "standings_of_profiles",
    "subscriptions",
    "tokens",
    "users",
    "violations",
    "warehouses",
    "workspaces",
    "write_keys",
]
