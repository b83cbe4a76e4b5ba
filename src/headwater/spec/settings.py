"""Every setting of the house, one Struct a room, each field with its sentence.

Read once by `app/settings.py` (flags, then environment, then file, then these defaults), frozen, and handed to each
room as its own section only. What a customer sets (sources, destinations) is not a setting but the workspace. The docs
page and `.env.example` are generated from the sentences below.
"""

from __future__ import annotations

from typing import Annotated

import msgspec


def _says(sentence: str) -> msgspec.Meta:
    return msgspec.Meta(description=sentence)


class CollectSettings(msgspec.Struct, frozen=True, kw_only=True):
    host: Annotated[str, _says("Address that the tracking API listens on.")] = "127.0.0.1"
    port: Annotated[int, _says("Port of the tracking API.")] = 8080
    public_url: Annotated[str, _says("How clients reach the tracking API, for snippets; empty: from the request.")] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], _says("Networks whose X-Forwarded-For is believed, as CIDR; the right-most other hop counts.")
    ] = ("127.0.0.0/8", "::1/128")
    capture_ipv6: Annotated[bool, _says("Also put IPv6 addresses of browsers and apps into context.ip.")] = False
    max_waiting_bytes: Annotated[
        int, _says("Bodies that may wait for the disk at once, in bytes; beyond, requests are answered 503.")
    ] = 64_000_000
    events_per_second: Annotated[
        int, _says("Events each source may send a second unless it has its own limit; 0 is without limit.")
    ] = 0
    read_seconds: Annotated[
        float, _says("A request's body must arrive within this time; slower senders are answered 408.")
    ] = 30.0
    settings_max_age_seconds: Annotated[int, _says("How long clients may cache a source's settings.")] = 60


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    url: Annotated[
        str,
        _says(
            "Where the event log is: empty for SQLite files in the data folder, memory://, or "
            "kafka://host:9092,host:9092/prefix, where topics are named prefix.stream."
        ),
    ] = ""
    partitions: Annotated[int, _says("Partitions of each stream; fixed once the log exists.")] = 1
    replication: Annotated[
        int, _says("Kafka: brokers that keep each record; 0 is three, or as many as there are if fewer.")
    ] = 0
    kafka: Annotated[
        tuple[str, ...],
        _says("Kafka: properties of the client, librdkafka's names, such as security.protocol=SASL_SSL."),
    ] = ()
    stream_settings: Annotated[
        tuple[str, ...], _says("Kafka: settings of topics that are made at the first start, such as retention.ms=-1.")
    ] = ()
    instance: Annotated[
        str,
        _says(
            "Kafka: a name of this process, unique and kept over restarts, so that its partitions wait for it; "
            "empty: they go to others as soon as it stops."
        ),
    ] = ""
    spill_bytes: Annotated[
        int,
        _says("Kafka: while it is away, collect keeps up to this many bytes on its own disk; 0 answers 503 at once."),
    ] = 1_000_000_000
    segment_bytes: Annotated[int, _says("A segment file is sealed at about this size.")] = 256_000_000
    segment_seconds: Annotated[int, _says("A segment file is sealed at this age.")] = 3_600
    retention_hours: Annotated[int, _says("How long processed records stay in the log, for traces and replays.")] = 168
    min_free_bytes: Annotated[
        int, _says("With less free disk than this, new events are refused (503) until there is room again.")
    ] = 200_000_000

    @property
    def shared(self) -> bool:
        """May several hosts work on this log? Then what one role keeps in its data folder is not there for another."""
        return self.url.startswith("kafka://")


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    url: Annotated[str, _says("Where the store is: empty for SQLite under the data folder, or postgresql://...")] = ""
    pool_size: Annotated[int, _says("Database connections each process may hold.")] = 5


class PipelineSettings(msgspec.Struct, frozen=True, kw_only=True):
    chunk_records: Annotated[int, _says("Requests taken from the log at once.")] = 1_000
    chunk_bytes: Annotated[int, _says("Bytes taken from the log at once.")] = 1_000_000
    dedup_window_hours: Annotated[int, _says("A messageId seen again within this time is a duplicate.")] = 24
    remembered_identifiers: Annotated[
        int, _says("Identifiers of each space whose profiles are kept in memory, about 400 bytes each.")
    ] = 500_000
    geoip_file: Annotated[
        str, _says("An MMDB file for country and city; empty for the country database that is installed, off for none.")
    ] = ""
    enrichments: Annotated[
        tuple[str, ...], _says("Enrichments that run, in order of their declarations; files of pipeline/enrich.")
    ] = ("user_agent", "campaign", "referrer", "geoip")


class DeliverSettings(msgspec.Struct, frozen=True, kw_only=True):
    horizon_hours: Annotated[float, _says("A failing delivery is tried again for this long (at most 720 hours).")] = 4.0
    first_backoff_seconds: Annotated[float, _says("The most to wait before the second attempt, doubled each time.")] = (
        10.0
    )
    max_backoff_seconds: Annotated[float, _says("The longest wait between two attempts.")] = 1_200.0
    allowed_addresses: Annotated[
        tuple[str, ...],
        _says("Private networks that destinations may reach nonetheless, as CIDR, such as 127.0.0.1/32."),
    ] = ()
    chunk_events: Annotated[int, _says("Events taken from the log at once.")] = 1_000
    chunks_in_flight: Annotated[int, _says("Chunks worked on at once.")] = 32
    grace_seconds: Annotated[
        float, _says("How long an event may wait in a destination's lane before it is parked to free the others.")
    ] = 0.5
    breaker_failures: Annotated[int, _says("Failures in a row that open a destination's circuit breaker.")] = 10
    breaker_seconds: Annotated[float, _says("How long an open circuit breaker leaves a destination alone.")] = 30.0
    keep_parked_hours: Annotated[int, _says("How long ended parked deliveries are kept for the trace.")] = 168


class CatalogueSettings(msgspec.Struct, frozen=True, kw_only=True):
    folder: Annotated[
        str, _says("Where Segment's destinations are built; empty: in the Python environment of Headwater.")
    ] = ""
    direct: Annotated[
        bool,
        _says(
            "Run the destinations that open their own connections, past deliver.allowed_addresses: Kafka, SFTP and AWS."
        ),
    ] = False
    environment: Annotated[
        tuple[str, ...],
        _says("Environment variables that destinations may see, such as SALESFORCE_CLIENT_ID; else they see none."),
    ] = ()
    memory_mb: Annotated[int, _says("A worker of destinations that has grown to this, in MB, is replaced.")] = 400


class ProfilesSettings(msgspec.Struct, frozen=True, kw_only=True):
    chunk_events: Annotated[int, _says("Events taken from the log at once.")] = 2_000
    write_every_seconds: Annotated[
        float, _says("How often what is known of profiles is written under load; a lone event is written at once.")
    ] = 0.5
    remembered_bytes: Annotated[
        int, _says("What is known of the profiles seen last is kept in memory up to this, in bytes.")
    ] = 64_000_000
    accounts_every_seconds: Annotated[
        float, _says("How long an account is left alone after its people did something, before it is computed again.")
    ] = 10.0
    history_days: Annotated[int, _says("How far back the Profile API shows the events of a profile.")] = 14
    requests_per_second: Annotated[
        int, _says("Requests a second that the Profile API answers for each space; 0 is without limit.")
    ] = 100


class WarehouseSettings(msgspec.Struct, frozen=True, kw_only=True):
    load_every_seconds: Annotated[float, _says("How often warehouses are loaded.")] = 15.0
    profiles_every_seconds: Annotated[
        float, msgspec.Meta(ge=60, description="How often the people of a space are synced to their warehouses.")
    ] = 3_600.0
    archive_every_seconds: Annotated[float, _says("How often new events are written to the archive.")] = 15.0
    archive_url: Annotated[
        str,
        _says(
            "Where the archive is: empty for Parquet files under the data folder, s3://bucket/prefix, another URL that "
            "fsspec reaches, or file:///a/folder that all hosts mount."
        ),
    ] = ""
    archive_options: Annotated[
        tuple[str, ...],
        _says(
            "Options of the archive's driver, such as endpoint_url=http://minio:9000; S3's credentials are also found "
            "in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and whatever else AWS's own programs look at."
        ),
    ] = ()
    cache_bytes: Annotated[
        int, _says("Copies of an archive that is elsewhere take up to this much of the data folder, in bytes.")
    ] = 5_000_000_000
    duckdb: Annotated[
        bool,
        _says(
            "DuckDB warehouses may be made and loaded. They are files of one host, so that this is off where roles run "
            "on hosts of their own (on Kafka)."
        ),
    ] = True
    default_duckdb: Annotated[bool, _says("Make a DuckDB warehouse under the data folder on first start.")] = True
    query_seconds: Annotated[float, _says("An SQL query is stopped after this time.")] = 30.0
    query_rows: Annotated[int, _says("Rows that an SQL query may return.")] = 10_000
    query_memory_mb: Annotated[int, _says("Memory that an SQL query may use, in MB.")] = 512
    sql_trait_rows: Annotated[int, _says("Rows that the query of an SQL trait may give; with more it fails.")] = (
        1_000_000
    )
    sql_trait_seconds: Annotated[float, _says("The query of an SQL trait is stopped after this time.")] = 600.0
    sql_trait_minutes: Annotated[int, _says("The shortest time between two runs of an SQL trait, in minutes.")] = 60


class ManageSettings(msgspec.Struct, frozen=True, kw_only=True):
    host: Annotated[str, _says("Address that the management API and the console listen on.")] = "127.0.0.1"
    port: Annotated[int, _says("Port of the management API and the console.")] = 8081
    requests_per_minute: Annotated[int, _says("Requests a token may make a minute; 0 is without limit.")] = 6_000
    public_url: Annotated[
        str, _says("How browsers reach the console, for vendors that send them back; empty: http://localhost.")
    ] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    data: Annotated[str, _says("Folder for everything that is kept on disk.")] = "./data"
    key_file: Annotated[
        str, _says("File of the keys that seal secrets at rest, the same on every machine; empty: in the data folder.")
    ] = ""
    health_port: Annotated[
        int, _says("Port of /health, /ready and /metrics of a process that runs some of the roles; 0 is none.")
    ] = 0
    health_host: Annotated[str, _says("Address that health_port is served on; in a container 0.0.0.0.")] = "127.0.0.1"
    log_level: Annotated[str, _says("debug, info, warning or error.")] = "info"
    admin_token: Annotated[str, _says("Presets the first admin token; empty: made and printed on first start.")] = ""
    write_key: Annotated[
        str, _says("Presets the first source's write key; empty: made and printed at first start.")
    ] = ""
    collect: CollectSettings = CollectSettings()
    log: LogSettings = LogSettings()
    store: StoreSettings = StoreSettings()
    pipeline: PipelineSettings = PipelineSettings()
    deliver: DeliverSettings = DeliverSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    profiles: ProfilesSettings = ProfilesSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    manage: ManageSettings = ManageSettings()
