"""What is remembered: the workspace, users, tokens, parked deliveries, the ledger, loads, the audit trail.

One implementation (SQLAlchemy Core) on two engines, SQLite and PostgreSQL. `Store` opens the database and runs plain
functions of one connection, each in one transaction; the functions live in one file a subject and neither open nor
commit anything themselves. Nothing of an event's happy path passes through here.
"""

from headwater.store.database import Store

__all__ = ["Store"]
