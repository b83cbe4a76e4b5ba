"""The first page: what comes in, what goes out, and whether anything needs somebody."""

from __future__ import annotations

from headwater.console.frame import Entry, page
from headwater.console.parts.pieces import empty
from headwater.console.person import Person


@page("/", title="Overview", scope="ledger:read", menu=Entry("insights", 10, key="o"))
async def overview(person: Person) -> None:
    empty("No events yet", "Send one, and see where it goes.", "curl")
