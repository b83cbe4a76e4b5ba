"""Merges that were undone and may not happen again, until that is lifted."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, html, link, table_html
from headwater.console.parts.profiles.causes import Around, event_html
from headwater.console.parts.profiles.parting import ask_to_allow
from headwater.console.parts.profiles.rows import identifier_html, profile_path
from headwater.console.person import Person
from headwater.manage.operations.profiles import ListMergeBlocks, list_merge_blocks
from headwater.manage.people import MergeShape

_COUNT = 100
_NONE = Html('<p class="soft">None. Un-merging a profile, on its page, keeps its two sides apart.</p>')


class Blocks:
    """The card on one page."""

    def __init__(self, person: Person, space: str, around: Around) -> None:
        self._person = person
        self._space = space
        self._around = around
        self._found: set[str] = set()

    async def build(self) -> None:
        """Place the card."""
        with ui.element("section").classes("card"):
            html("<h2>Kept apart</h2>")
            self._table = Patched().on_press(self._pressed)
        await self._look()

    async def _look(self) -> None:
        answer = await self._person.ask(list_merge_blocks, ListMergeBlocks(space_id=self._space, count=_COUNT))
        self._found = {one.id for one in answer.merges}
        more = answer.total - len(answer.merges)
        rest = f'<p class="soft">and {count(more)} that were undone earlier</p>' if more > 0 else ""
        self._table.show(Html(f"{self._rows(answer.merges)}{rest}") if answer.merges else _NONE)

    def _rows(self, found: Sequence[MergeShape]) -> Html:
        may = self._person.may("profiles:write")
        rows = [
            (
                self._side(one.left, one.survivor_id),
                self._side(one.right, one.merged_id),
                event_html(one.cause, self._around),
                Html(moment_html(one.undone_at, self._around.zone)),
                press("Allow again", "allow", one.id, about=f"Allow {one.left} and {one.right} again") if may else "",
            )
            for one in found
        ]
        return table_html(("One", "Other", "Merged by", "Undone", ""), rows, right=(4,), label="Kept apart")

    def _side(self, identifier: str, id: str) -> Html:
        return Html(f"{identifier_html(identifier)} {link(f'…{id[-5:]}', profile_path(self._space, id))}")

    async def _pressed(self, verb: str, of: str) -> None:
        if verb == "allow" and of in self._found:
            ask_to_allow(self._person, self._space, of, self._look)
