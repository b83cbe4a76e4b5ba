"""The dialog that makes a token, and shows its text once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nicegui import ui

from headwater.console.parts.beside import beside
from headwater.console.parts.pieces import copyable, html, notice
from headwater.console.parts.settings.scope_words import EVERYTHING, READ_ALL, RESOURCES, Resource
from headwater.console.person import Person
from headwater.manage.operations.tokens import CreateToken, CreateTokenAnswer, create_token
from headwater.spec.timestamps import format_moment

_DAY: Final = 86_400_000
_LASTS: Final = {0: "without end", 7: "7 days", 30: "30 days", 90: "90 days", 365: "a year"}
_WHOLE: Final = {EVERYTHING: "Everything", READ_ALL: "Read everything", "": "Only what is chosen below"}

_WORDS: Final = {"name": "A name, please.", "scopes": "Choose at least one below."}


def new_token(person: Person, made: Callable[[], Awaitable[None]]) -> None:
    """A dialog for a token's name, scopes and end; `made` is called once there is one."""
    with ui.dialog(value=True).props("persistent") as dialog, ui.card().classes("form wide-card"):
        dialog.on("hide", dialog.delete)
        _Form(person, dialog, made).build()


class _Form:
    """The fields of the dialog."""

    def __init__(self, person: Person, dialog: ui.dialog, made: Callable[[], Awaitable[None]]) -> None:
        self._person = person
        self._dialog = dialog
        self._made = made
        self._chosen: dict[str, str] = {}

    def build(self) -> None:
        """Place the fields."""
        self._fields = ui.element("div").classes("form")
        with self._fields:
            html("<h2>Make a token</h2>")
            self._name = ui.input("Name: what it is for").props("outlined dense autofocus maxlength=255")
            self._name.on("keydown.enter", self._send)
            self._lasts = ui.select(_LASTS, value=0, label="Lasts").props("outlined dense")
            whole = {scope: name for scope, name in _WHOLE.items() if not scope or self._person.may(scope)}
            self._whole = ui.select(whole, value="", label="May do").props("outlined dense")
            choices = ui.element("div").classes("scopes")
            choices.bind_visibility_from(self._whole, "value", value="")
            with choices:
                for resource in RESOURCES:
                    self._choice(resource)
            with ui.element("div").classes("row-line").style("justify-content: flex-end"):
                ui.button("Cancel", on_click=self._dialog.close).props("flat")
                ui.button("Make token", on_click=self._send)

    def _choice(self, resource: Resource) -> None:
        rights = {"": "none"}
        if self._person.may(f"{resource.id}:read"):
            rights["read"] = "read"
        if resource.write and self._person.may(f"{resource.id}:write"):
            rights["write"] = "write"
        if len(rights) == 1:
            return
        words = f"{resource.read} Write: {resource.write}" if resource.write else resource.read
        html(f"<div>{resource.name}<small>{words}</small></div>")

        def choose(event: Any) -> None:
            self._chosen[resource.id] = str(event.value or "")

        toggle = ui.toggle(rights, value="", on_change=choose).classes("spans")
        toggle.props(f'dense no-caps unelevated role=group aria-label="{resource.name}"')

    async def _send(self) -> None:
        whole = str(self._whole.value or "")
        scopes = [whole] if whole else [f"{resource}:{right}" for resource, right in self._chosen.items() if right]
        days = int(self._lasts.value or 0)
        ends = format_moment(time.time_ns() // 1_000_000 + days * _DAY) if days else None
        wanted = CreateToken(name=(self._name.value or "").strip(), scopes=scopes, expires_at=ends)
        answer: list[CreateTokenAnswer] = []

        async def make() -> None:
            answer.append(await self._person.ask(create_token, wanted))

        if await beside(make, _WORDS, name=self._name, scopes=self._whole):
            self._show(answer[0].text)
            await self._made()

    def _show(self, text: str) -> None:
        self._fields.clear()
        with self._fields:
            html("<h2>The token is made</h2>")
            html(str(copyable(text)))
            notice("Keep it now: it is not shown again.", tone="warning")
            ui.button("Done", on_click=self._dialog.close).style("align-self: flex-end")
