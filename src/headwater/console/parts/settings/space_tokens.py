"""The tokens with which other systems read the profiles of a space."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from nicegui import ui

from headwater.console.parts.asking import ask_first
from headwater.console.parts.beside import beside
from headwater.console.parts.figures import ago_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, copyable, html, notice, safe, table_html
from headwater.console.person import Person
from headwater.manage.operations.space_tokens import (
    CreateSpaceToken,
    DeleteSpaceToken,
    ListSpaceTokens,
    SpaceTokenShape,
    create_space_token,
    delete_space_token,
    list_space_tokens,
)

_MOST = 100
_NONE = Html('<p class="soft">No token yet. A system that reads profiles through the Profile API needs one.</p>')


class SpaceTokens:
    """The card on one page."""

    def __init__(self, person: Person, space_id: str) -> None:
        self._person = person
        self._space_id = space_id
        self._found: dict[str, SpaceTokenShape] = {}

    async def build(self) -> None:
        """Place the card, with the tokens that are there."""
        may_make = self._person.may("spaces:write") and self._person.may("profiles:read")
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Tokens for the Profile API</h2>")
                ui.element("div").classes("grow")
                if may_make:
                    new = ui.button("Make a token", icon="add")
                    new.on_click(lambda: _new_token(self._person, self._space_id, self._look)).props("outline")
            self._table = Patched().on_press(self._pressed)
        await self._look()

    async def _look(self) -> None:
        answer = await self._person.ask(list_space_tokens, ListSpaceTokens(space_id=self._space_id))
        self._found = {one.id: one for one in answer.tokens}
        self._table.show(_rows(answer.tokens, self._person) if answer.tokens else _NONE)

    async def _pressed(self, verb: str, of: str) -> None:
        one = self._found.get(of)
        if verb != "delete" or one is None:
            return

        async def delete() -> None:
            await self._person.ask(delete_space_token, DeleteSpaceToken(space_id=self._space_id, token_id=one.id))
            ui.notify(f"{one.name} was taken back.", type="positive")
            await self._look()

        ask_first(f"Take back the token {one.name}?", "Whatever uses it is refused from then on.", "Take back", delete)


def _rows(tokens: list[SpaceTokenShape], person: Person) -> Html:
    now = time.time_ns() // 1_000_000
    may = person.may("spaces:write")
    rows = [
        (
            Html(f'<div class="clipped" title="{safe(one.name)}, {safe(one.id)}">{safe(one.name)}</div>'),
            "read, delete identifiers" if one.deletes_identifiers else "read",
            Html(ago_html(one.created_at, now, person.zone)),
            *((press("Take back", "delete", one.id, about=f"Take back {one.name}"),) if may else ()),
        )
        for one in tokens[-_MOST:][::-1]
    ]
    more = f'<p class="soft">and {len(tokens) - _MOST} older ones</p>' if len(tokens) > _MOST else ""
    heads = ("Name", "May", "Made", *(("",) if may else ()))
    return Html(f"{table_html(heads, rows, right=(3,), label='Tokens of the space')}{more}")


def _new_token(person: Person, space_id: str, made: Callable[[], Awaitable[None]]) -> None:
    """Ask for a name, and show the text once."""

    async def send() -> None:
        async def make() -> None:
            wanted = CreateSpaceToken(
                space_id=space_id, name=(name.value or "").strip(), deletes_identifiers=bool(deletes.value)
            )
            text = (await person.ask(create_space_token, wanted)).text
            fields.clear()
            with fields:
                html("<h2>The token is made</h2>")
                html(str(copyable(text)))
                notice("Keep it now: it is not shown again.", tone="warning")
                ui.button("Done", on_click=dialog.close).style("align-self: flex-end")
            await made()

        await beside(make, {"name": "A name, please."}, name=name)

    with ui.dialog(value=True).props("persistent") as dialog, ui.card().classes("form wide-card"):
        dialog.on("hide", dialog.delete)
        fields = ui.element("div").classes("form")
        with fields:
            html("<h2>Make a token</h2>")
            html('<div class="hint">It reads whatever is known of the people of this space, and nothing else.</div>')
            name = ui.input("Name: which system uses it").props("outlined dense autofocus maxlength=255")
            name.on("keydown.enter", send)
            deletes = ui.checkbox("It may also delete identifiers").props("dense")
            deletes.set_visibility(person.may("profiles:write"))
            with ui.element("div").classes("row-line").style("justify-content: flex-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat")
                ui.button("Make token", on_click=send)
