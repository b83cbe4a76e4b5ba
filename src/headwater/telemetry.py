"""Every metric of the house, in one closed list; docs and dashboards are read off it.

Rooms count a batch at a time. With several processes on one machine the values are shared through files in the folder
that the supervisor names (`PROMETHEUS_MULTIPROC_DIR`), and `exposition` adds them up.
"""

from __future__ import annotations

import prometheus_client as prom
from prometheus_client import multiprocess, values

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 14400.0)

COLLECT_REQUESTS = prom.Counter(
    "headwater_collect_requests_total", "Requests answered by the tracking API, by HTTP status.", ["status"]
)
COLLECT_BYTES = prom.Counter("headwater_collect_bytes_total", "Bytes of bodies accepted, after decompression.")
COLLECT_APPEND = prom.Histogram(
    "headwater_collect_append_seconds", "From a request's body to its durable append.", buckets=_FAST
)
COLLECT_LOST_PIXELS = prom.Counter(
    "headwater_collect_lost_pixels_total",
    "Pixel calls not kept, as the log was away or the source's budget spent; a pixel cannot be asked to come again.",
)
COLLECT_SPILLED = prom.Counter(
    "headwater_collect_spilled_records_total", "Records kept on collect's own disk, as the log was away."
)
COLLECT_SPILL_WAITING = prom.Gauge(
    "headwater_collect_spill_waiting_records",
    "Records on collect's own disk that are not in the log yet; it grows while the log is away.",
    multiprocess_mode="mostrecent",
)
COLLECT_SPILL_BYTES = prom.Gauge(
    "headwater_collect_spill_bytes",
    "What the spill takes on collect's disk; at log.spill_bytes new requests are answered 503.",
    multiprocess_mode="mostrecent",
)
PIPELINE_EVENTS = prom.Counter(
    "headwater_pipeline_events_total", "Events that met a step in the pipeline, by step and reason.", ["step", "reason"]
)
PIPELINE_CHUNK = prom.Histogram(
    "headwater_pipeline_chunk_seconds", "One chunk through the pipeline, from read to commit.", buckets=_FAST
)
PIPELINE_IDENTITY = prom.Counter(
    "headwater_pipeline_identity_changes_total",
    "What events changed in the identity graphs, by kind: profile, identifier, merge, violation.",
    ["kind"],
)
PROFILES_EVENTS = prom.Counter("headwater_profiles_events_total", "Events folded into what is known of profiles.")
PROFILES_FAILURES = prom.Counter(
    "headwater_profiles_failures_total",
    "Audiences and computed traits that could not be counted, asked or told for an event or a profile.",
)
PROFILES_WRITE = prom.Histogram(
    "headwater_profiles_write_seconds", "One write of what is known of profiles.", buckets=_FAST
)
DELIVER_EVENTS = prom.Counter(
    "headwater_deliver_events_total",
    "Events that met a step at a destination, by destination, step and reason.",
    ["destination", "step", "reason"],
)
DELIVER_ATTEMPT = prom.Histogram(
    "headwater_deliver_attempt_seconds", "One attempt, from request to answer.", ["destination"], buckets=_FAST
)
DELIVER_LATENCY = prom.Histogram(
    "headwater_deliver_latency_seconds", "From an event's receipt to its delivery.", ["destination"], buckets=_SLOW
)
DELIVER_REPLAYED = prom.Counter(
    "headwater_deliver_replayed_events_total", "Events of the archive that replays read and made out."
)
DELIVER_PARKED = prom.Gauge(
    "headwater_deliver_parked_events",
    "Deliveries that wait in the store.",
    ["destination"],
    multiprocess_mode="mostrecent",
)
WAREHOUSE_ROWS = prom.Counter("headwater_warehouse_rows_total", "Rows loaded, by warehouse.", ["warehouse"])
WAREHOUSE_LOAD = prom.Histogram("headwater_warehouse_load_seconds", "One load.", ["warehouse"], buckets=_SLOW)
WAREHOUSE_FRESHNESS = prom.Gauge(
    "headwater_warehouse_freshness_seconds",
    "Age of the oldest event that is not yet in the warehouse.",
    ["warehouse"],
    multiprocess_mode="mostrecent",
)
SQL_TRAIT_ROWS = prom.Counter(
    "headwater_warehouse_sql_trait_rows_total",
    "Rows of SQL traits, by fate: changed, unchanged, vanished, discarded.",
    ["fate"],
)
SQL_TRAIT_RUN = prom.Histogram("headwater_warehouse_sql_trait_run_seconds", "One run of an SQL trait.", buckets=_SLOW)
ARCHIVE_EVENTS = prom.Counter("headwater_warehouse_archived_events_total", "Events written to the archive.")
LOG_LAG = prom.Gauge(
    "headwater_eventlog_lag_records",
    "Records that a group of readers has not dealt with.",
    ["group", "stream", "partition"],
    multiprocess_mode="mostrecent",
)
LEDGER_IMBALANCE = prom.Gauge(
    "headwater_manage_ledger_imbalance_events",
    "Events whose outcome the ledger does not know; anything but 0 is a bug worth reporting.",
    multiprocess_mode="mostrecent",
)
MANAGE_REQUESTS = prom.Counter(
    "headwater_manage_requests_total", "Requests answered by the management API.", ["operation", "status"]
)


def exposition() -> tuple[bytes, str]:
    """The metrics of all processes of this machine's house, and their content type."""
    registry: prom.CollectorRegistry = prom.REGISTRY
    if values.ValueClass is not values.MutexValue:
        registry = prom.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return prom.generate_latest(registry), prom.CONTENT_TYPE_LATEST
