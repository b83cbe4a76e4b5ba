"""What is remembered: the workspace, users, tokens, profiles, parked deliveries, the ledger, loads, the audit.

One implementation (SQLAlchemy Core) on two engines, SQLite and PostgreSQL. `Store` opens the database and runs plain
functions of one connection, each in one transaction; the functions live in one file a subject and neither open nor
commit anything themselves. Of an event's happy path only what is new in the identity graph passes through here, once a
chunk.
"""

from headwater.store.database import Store

__all__ = ["Store"]
