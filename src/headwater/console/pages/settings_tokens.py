"""Tokens: what programs use to speak with this house."""

from __future__ import annotations

import time

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.asking import ask_first
from headwater.console.parts.figures import ago_html, moment_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, chip, safe, table_html
from headwater.console.parts.settings.head import settings_head
from headwater.console.parts.settings.new_token import new_token
from headwater.console.parts.settings.scope_words import word
from headwater.console.person import Person
from headwater.manage.operations.tokens import DeleteToken, ListTokens, TokenShape, delete_token, list_tokens
from headwater.manage.paging import Pagination

_MOST = 1_000


@page("/settings/tokens", title="Settings", scope="tokens:read")
async def settings_tokens(person: Person) -> None:
    settings_head(person, "/settings/tokens")
    view = _View(person)
    with ui.element("div").classes("row-line"):
        ui.label("Programs use a token; people sign in.").classes("soft grow")
        if person.may("tokens:write"):
            ui.button("Make a token", icon="add", on_click=lambda: new_token(person, view.look))
    view.table = Patched().on_press(view.pressed)
    await view.look()


class _View:
    """The list, for one person."""

    table: Patched

    def __init__(self, person: Person) -> None:
        self._person = person
        self._found: dict[str, TokenShape] = {}

    async def look(self) -> None:
        """Ask anew, and show it."""
        answer = await self._person.ask(list_tokens, ListTokens(pagination=Pagination(count=_MOST)))
        self._found = {one.id: one for one in answer.tokens}
        self.table.show(_rows(answer.tokens, self._person))

    async def pressed(self, verb: str, of: str) -> None:
        """Ask before a token is taken back."""
        one = self._found.get(of)
        if verb != "delete" or one is None:
            return

        async def delete() -> None:
            await self._person.ask(delete_token, DeleteToken(token_id=one.id))
            ui.notify(f"{one.name} was taken back.", type="positive")
            await self.look()

        ask_first(f"Take back the token {one.name}?", "Whatever uses it is refused from then on.", "Take back", delete)


def _rows(tokens: list[TokenShape], person: Person) -> Html:
    now = time.time_ns() // 1_000_000
    may = person.may("tokens:write")
    rows = [
        (
            Html(f'<div class="clipped" title="{safe(one.name)}, {safe(one.id)}">{safe(one.name)}</div>'),
            Html(" ".join(chip(word(scope), "accent" if scope == "*" else "") for scope in one.scopes)),
            Html(ago_html(one.created_at, now, person.zone)),
            Html(moment_html(one.expires_at, person.zone)) if one.expires_at else "never",
            *((press("Take back", "delete", one.id, about=f"Take back {one.name}"),) if may else ()),
        )
        for one in tokens
    ]
    heads = ("Name", "May do", "Made", "Ends", *(("",) if may else ()))
    return table_html(heads, rows, right=(4,), label="Tokens")
