"""Headwater: an open, self-hosted customer data platform that speaks Segment's wire formats.

The rooms, in the order in which an event walks through them:

    spec/          the words: events, workspace resources, outcomes, errors, limits, timestamps. Pure.
    collect/       HTTP to the log: accepts a request, appends it, answers 200 only when it is durable
    eventlog/      the corridor: append, read, commit, lag; one file a backend
    pipeline/      deduplicates, validates, normalises, enriches, resolves and routes every event
    profiles/      who an event is about: identity, and the language of audiences. Pure.
    deliver/       lanes, attempts, classification of answers, backoff, parked deliveries, redrive
    destinations/  one file a destination; the folder is the catalogue
    catalogue/     Segment's open-source destinations, performed by a worker of Node.js
    writers/       connections of destinations that do not speak HTTP: Kafka, NATS, PostgreSQL
    warehouse/     the archive (Parquet), Segment's warehouse schema, loads; one file an engine
    store/         what is remembered: workspace, tokens, parked deliveries, the ledger, audit
    manage/        the operations: all that can be asked of the house; HTTP and CLI are read off them
    console/       the web console; one file a page; asks operations and nothing else
    app/           settings, wiring, roles, serve, CLI
    contracts/     test suites that every backend, engine, destination and enrichment must pass
    telemetry.py   every metric, in one closed list

ARCHITECTURE.md follows one event from the request to a warehouse.
"""

__version__ = "0.1.0"
