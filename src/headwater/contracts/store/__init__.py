"""What the store must keep on every database that it runs on, one function each.

For those who try another database: make a Store over an empty one, call its `migrate`, and call every function of
PROMISES with it, each with a database of its own. Each raises AssertionError when a promise is broken. Nothing here
needs a test framework.
"""

from __future__ import annotations

from typing import Final

from headwater.contracts.store.access import OF_ACCESS
from headwater.contracts.store.attempts import Promise
from headwater.contracts.store.books import OF_BOOKS
from headwater.contracts.store.companies import OF_COMPANIES
from headwater.contracts.store.identity import OF_IDENTITY
from headwater.contracts.store.leasing import OF_LEASES
from headwater.contracts.store.workspace import OF_WORKSPACE

__all__ = ["PROMISES", "Promise"]

PROMISES: Final[tuple[Promise, ...]] = (
    *OF_WORKSPACE,
    *OF_BOOKS,
    *OF_ACCESS,
    *OF_IDENTITY,
    *OF_COMPANIES,
    *OF_LEASES,
)
"""Every promise."""
