"""The page on which an SQL trait is made or changed, with what its first rows would say."""

from __future__ import annotations

import json
from typing import Final, cast, get_args

from nicegui import ui

from headwater.console.parts.audiences.one import STYLES, id_types_of, space_of
from headwater.console.parts.audiences.sql import run_html
from headwater.console.parts.beside import beside
from headwater.console.parts.editor import Editor
from headwater.console.parts.figures import count
from headwater.console.parts.headline import headline
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, html, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.spaces import SpaceShape
from headwater.manage.operations.sql_traits import (
    CreateSqlTrait,
    OneSqlTrait,
    PreviewSqlTrait,
    PreviewSqlTraitAnswer,
    SqlTraitShape,
    UpdateSqlTrait,
    create_sql_trait,
    get_sql_trait,
    preview_sql_trait,
    update_sql_trait,
)
from headwater.manage.problems import explain
from headwater.spec.errors import SenderError
from headwater.spec.sql_trait import KeyColumn
from headwater.spec.wire import JSON

KEYS: Final[tuple[KeyColumn, ...]] = get_args(KeyColumn)
_EVERY = {60: "hour", 180: "3 hours", 360: "6 hours", 720: "12 hours", 1_440: "day", 10_080: "week"}
_EXAMPLE = """\
SELECT user_id, count(*) AS orders, max(received_at) AS last_order_at
FROM events
WHERE event = 'Order Completed' AND user_id IS NOT NULL
GROUP BY ALL"""


async def show_sql_editor(person: Person, space_name: str, id: str = "") -> None:
    """Build the page, of one that stands (`id`) or of a new one."""
    for sheet in STYLES:
        use_styles(sheet)
    space = await space_of(person, space_name)
    before: SqlTraitShape | None = None
    if id:
        before = (await person.ask(get_sql_trait, OneSqlTrait(space_id=space.id, sql_trait_id=id))).sql_trait
    known = [
        *await id_types_of(person, space.id, "users"),
        *await id_types_of(person, space.id, "accounts"),
    ]
    types = cast("list[KeyColumn]", [one for one in KEYS if one in known] or [*KEYS])
    headline(
        before.name if before else "New SQL trait", above=("SQL traits", f"/computed-traits?space={space.slug}&tab=sql")
    )
    _Editing(person, space, types, before).build()


class _Editing:
    """The fields, trying them, and saving."""

    def __init__(self, person: Person, space: SpaceShape, types: list[KeyColumn], before: SqlTraitShape | None) -> None:
        self._person = person
        self._space = space
        self._types = types
        self._before = before

    def build(self) -> None:
        """Place everything."""
        before = self._before
        if before is not None:
            html(f'<p class="soft about-it">Last run: {run_html(before.last_run)}</p>')
        with ui.element("section").classes("card"):
            with ui.element("div").classes("name-fields sql-fields"):
                self._name = ui.input("Name", value=before.name if before else "").props("outlined dense maxlength=255")
                self._name.props("autocomplete=off hide-bottom-space")
                keys = list(dict.fromkeys([*self._types, *([before.key] if before else [])]))
                first = before.key if before else next(iter(keys), None)
                self._key = ui.select(keys, value=first, label="Key column").props("outlined dense options-dense")
                self._key.set_enabled(before is None)
                choices = dict(_EVERY)
                if before:
                    choices.setdefault(before.every_minutes, f"{before.every_minutes} minutes")
                self._every = ui.select(choices, value=before.every_minutes if before else 720, label="Runs every")
                self._every.props("outlined dense options-dense")
            html(
                '<p class="soft">One SELECT over <code>events</code> or the tables of DuckDB warehouses. A row for '
                "each profile: the key column names it, each other column becomes a trait.</p>"
            )
            self._editor = Editor(before.sql if before else _EXAMPLE, language="SQL", height=210, label="The query")
            self._editor.map_key("Mod-Enter", self._try)
            with ui.element("div").classes("row-line foot"):
                ui.button("Try", icon="play_arrow", on_click=self._try).props("outline")
                if self._person.may("spaces:write"):
                    ui.button("Save" if before else "Make SQL trait", on_click=self._send)
                html('<span class="soft">Nothing is told or kept when it is tried.</span>')
        self._shown = Patched()

    async def _try(self, _: object = None) -> None:
        self._shown.show('<div class="skeleton" style="height:120px" aria-busy="true"></div>')
        wanted = PreviewSqlTrait(space_id=self._space.id, sql=self._sql(), key=self._wanted_key())
        try:
            answer = await self._person.ask(preview_sql_trait, wanted)
        except SenderError as error:
            problems = "\n".join(problem.message for problem in explain(error)[1])
            self._shown.show(f'<div class="notice error" role="alert"><pre class="said">{safe(problems)}</pre></div>')
            return
        self._shown.show(tried_html(answer))

    def _wanted_key(self) -> KeyColumn:
        return cast("KeyColumn", self._key.value or "user_id")

    def _sql(self) -> str:
        return (self._editor.value or "").strip()

    async def _send(self) -> None:
        name = (self._name.value or "").strip()
        if not name:
            self._name.error = "It needs a name."
            return

        async def save() -> None:
            if self._before is None:
                made = CreateSqlTrait(
                    space_id=self._space.id,
                    name=name,
                    sql=self._sql(),
                    key=self._wanted_key(),
                    every_minutes=int(self._every.value or 720),
                )
                await self._person.ask(create_sql_trait, made)
            else:
                changed = UpdateSqlTrait(
                    space_id=self._space.id,
                    sql_trait_id=self._before.id,
                    name=name,
                    sql=self._sql(),
                    every_minutes=int(self._every.value or 720),
                )
                await self._person.ask(update_sql_trait, changed)
            ui.navigate.to(f"/computed-traits?space={self._space.slug}&tab=sql")

        await beside(save, name=self._name, key=self._key, everyMinutes=self._every)


def tried_html(found: PreviewSqlTraitAnswer) -> Html:
    """The calls that the first rows would be told by, and what would be left out. Pure."""
    more = ", and there are more" if found.truncated else ""
    said = f"{count(found.rows)} rows were looked at{more}; each would be told so:"
    calls = table_html(("Call", "Of", "Traits"), (_call(one) for one in found.calls), label="Calls")
    left = ""
    if found.discarded:
        lines = "".join(f"<li>Row {count(one.row + 1)}: {safe(one.meaning)}</li>" for one in found.discarded[:20])
        left = f'<h2>Left out</h2><ul class="trial-examples">{lines}</ul>'
    nothing = '<p class="soft">No row would be told.</p>' if not found.calls else ""
    return Html(f'<section class="card"><p class="soft">{said}</p>{calls if found.calls else nothing}{left}</section>')


def _call(one: JSON) -> tuple[object, ...]:
    call = one if isinstance(one, dict) else {}
    of = call.get("groupId") or call.get("userId") or call.get("anonymousId") or ""
    traits = json.dumps(call.get("traits", {}), ensure_ascii=False)
    return str(call.get("type", "")), short(str(of), 60), Html(f"<code>{safe(short(traits, 200))}</code>")
