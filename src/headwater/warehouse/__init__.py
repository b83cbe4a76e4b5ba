"""The warehouse room: processed events become an archive, and tables in the schema that Segment's users know.

In comes the stream `processed`. Out go Parquet files under `archive/` (every event, whatever becomes of it elsewhere)
and rows in each warehouse: one schema a source; the tables identifies, users, groups, accounts, pages, screens, tracks,
aliases and one for each event name (contract: connections 9.2).

The people of a space go into a schema of their own, with their merges, identifiers and traits (`profiles/`).

It promises:

- Exactly once. A load is one transaction, and passes over ids that its tables hold already; a file of the archive is
  named by the positions it covers and replaced whole. The cursor in the log moves afterwards, so a process may be
  killed at any instant.
- A value never fails a load. What does not fit its column is kept in the row's `_overflow` as JSON, and is counted
  among the load's notices.
- A warehouse that is away, or refuses its password, delays nobody but itself; it continues where it stood.

It refuses to change what stands in a warehouse beside its own tables, and to run a query that does anything but read.

`flatten`, `forms`, `laying`, `casting`, `tables` and `fold` are pure; `load` and `archive` work synchronously, in a
thread; `loop` holds the awaits; `query` runs SQL of strangers in a process of its own.
"""
