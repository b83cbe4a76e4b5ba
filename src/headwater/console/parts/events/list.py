"""A list of many events that grows at its top: rows are HTML, and one is chosen by click or by keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from nicegui.element import Element
from nicegui.events import GenericEventArguments

_SCRIPT = Path(__file__).parents[2] / "assets" / "event_list.js"


class EventList(Element, component=_SCRIPT):
    """The list in the browser, which keeps at most so many rows. Rows have an attribute `data-id`.

    `heads` are the class and the title of each column.
    """

    def __init__(self, rows: str, *, heads: Sequence[tuple[str, str]], most: int, label: str) -> None:
        super().__init__()
        self._props["heads"] = [list(head) for head in heads]
        self._props["first"] = rows
        self._props["most"] = most
        self._props["label"] = label

    def add(self, rows: str) -> None:
        """Put rows on top, the newest first."""
        self.run_method("add", rows)

    def fill(self, rows: str) -> None:
        """Show these rows instead."""
        self.run_method("fill", rows)

    def unchoose(self) -> None:
        """No row is chosen any more."""
        self.run_method("unchoose")

    def on_choose(self, work: Callable[[str], Awaitable[None]]) -> None:
        """Call with the id of the row that somebody chooses."""

        async def chosen(event: GenericEventArguments) -> None:
            await work(str(event.args))

        self.on("choose", chosen)
