"""SQL over what the house keeps: an editor, the tables, and the result as a table or a chart.

The file's name stands before `warehouse` in the alphabet so that /warehouse/query is not taken for an id.
"""

from __future__ import annotations

from headwater.console.frame import Entry, page
from headwater.console.parts.stylesheet import use_styles
from headwater.console.parts.warehouses.desk import QueryDesk
from headwater.console.person import Person

_LONGEST = 100_000


@page("/warehouse/query", title="Query", scope="events:read", menu=Entry("terminal", 55, key="q"))
async def query(person: Person, sql: str = "") -> None:
    use_styles("delivery.css")
    await QueryDesk(person, sql[:_LONGEST]).start()
