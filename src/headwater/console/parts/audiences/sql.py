"""SQL traits of a space: queries on a schedule whose rows become traits; what came of them, and running them now."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nicegui import ui

from headwater.console.parts.asking import ask_first
from headwater.console.parts.figures import ago_html, count, in_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, chip, html, link, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.console.person import Person
from headwater.manage.operations.spaces import SpaceShape
from headwater.manage.operations.sql_traits import (
    ListSqlTraits,
    OneSqlTrait,
    SqlRunShape,
    SqlTraitShape,
    UpdateSqlTrait,
    create_sql_trait_run,
    delete_sql_trait,
    list_sql_traits,
    update_sql_trait,
)

_LISTED = 200
_NONE = Html(
    '<div class="empty"><b>No SQL traits yet</b>An SQL trait is a query over your events and warehouses that runs on a '
    "schedule. Each row is a profile, named by the key in one column; the other columns become its traits.</div>"
)


def sql_path(space: str, id: str = "new") -> str:
    """The page on which one is made or changed, as a path of the console."""
    return f"/computed-traits/{space}/sql/{id}"


class SqlTraits:
    """The list on one page."""

    def __init__(self, person: Person, space: SpaceShape) -> None:
        self._person = person
        self._space = space
        self._found: dict[str, SqlTraitShape] = {}

    def place_fields(self) -> None:
        """Place what says what they are, and the button that leads to the editor."""
        self._said = ui.label().classes("soft grow")
        if self._person.may("spaces:write") and self._person.may("events:read"):
            html(f'<a class="action" href="/console{safe(sql_path(self._space.slug))}">New SQL trait</a>')

    def place_list(self) -> None:
        """Place the list."""
        self._table = Patched().classes("computed-list").on_press(self._pressed)

    async def look(self) -> None:
        """Ask anew, and show it."""
        found = (await self._person.ask(list_sql_traits, ListSqlTraits(space_id=self._space.id))).sql_traits
        self._found = {one.id: one for one in found}
        more = f" The first {_LISTED} are shown." if len(found) > _LISTED else ""
        many = "1 SQL trait." if len(found) == 1 else f"{count(len(found))} SQL traits."
        self._said.set_text(f"{many}{more}" if found else "")
        now = time.time_ns() // 1_000_000
        may = self._person.may("spaces:write")
        shown = sql_html(found[:_LISTED], self._space.slug, now, self._person.zone, may=may)
        self._table.show(shown if found else _NONE)

    async def _pressed(self, verb: str, of: str) -> None:
        one = self._found.get(of)
        if one is None:
            return
        this = OneSqlTrait(space_id=self._space.id, sql_trait_id=one.id)
        match verb:
            case "run":
                await self._person.ask(create_sql_trait_run, this)
                ui.notify(f"{one.name} runs as soon as it can.", type="positive")
            case "on" | "off":
                turned = UpdateSqlTrait(space_id=self._space.id, sql_trait_id=one.id, enabled=verb == "on")
                await self._person.ask(update_sql_trait, turned)
            case "delete":
                about = "It runs no more. Profiles keep the values that it gave them."
                ask_first(f"Delete {one.name}?", about, "Delete", lambda: self._delete(this))
            case _:
                return
        await self.look()

    async def _delete(self, one: OneSqlTrait) -> None:
        await self._person.ask(delete_sql_trait, one)
        await self.look()


def sql_html(found: Sequence[SqlTraitShape], space: str, now: int, zone: str, *, may: bool) -> Html:
    """The list as a table. Pure."""
    heads = ("SQL trait", "State", "Last run", "What came of it", "Next run", "Every", "")
    rows = (_row(one, space, now, zone, may=may) for one in found)
    return table_html(heads if may else heads[:-1], rows, label="SQL traits")


def _row(one: SqlTraitShape, space: str, now: int, zone: str, *, may: bool) -> tuple[object, ...]:
    run = one.last_run
    failed = run is not None and bool(run.error)
    state = chip("switched off", "warn") if not one.enabled else chip("failed", "bad") if failed else chip("on", "good")
    name = link(short(one.name, 80), sql_path(space, one.id)) if may else Html(safe(short(one.name, 80)))
    cells = (
        Html(f'<div class="named">{name}<small>by {safe(one.key)}</small></div>'),
        state,
        Html(ago_html(run.ended_at if run else None, now, zone)),
        run_html(run),
        Html(in_html(one.next_run_at, now, zone) if one.next_run_at else "–"),
        every(one.every_minutes),
    )
    if not may:
        return cells
    go = press("Run now", "run", one.id, about=f"Run {one.name} now") if one.enabled else ""
    turn = press("Switch off", "off", one.id) if one.enabled else press("Switch on", "on", one.id)
    drop = press("Delete", "delete", one.id, about=f"Delete {one.name}")
    return (*cells, Html(f'<div class="actions">{go}{turn}{drop}</div>'))


def run_html(run: SqlRunShape | None) -> Html:
    """What a run came to. Pure."""
    if run is None:
        return Html('<span class="soft">It has not run yet.</span>')
    if run.error:
        whole = safe(short(run.error, 2_000))
        return Html(f'<div class="standing bad" title="{whole}">{safe(short(run.error, 160))}</div>')
    left = sum(one.rows for one in run.discarded)
    why = "; ".join(f"{count(one.rows)}: {one.meaning}" for one in run.discarded)
    more = f' <span class="warn" title="{safe(why)}">{count(left)} left out</span>' if left else ""
    return Html(f"{count(run.rows)} rows, {count(run.changed)} told{more}")


def every(minutes: int) -> str:
    """A schedule in words. Pure."""
    for length, unit in ((1_440, "day"), (60, "hour")):
        if minutes % length == 0:
            many = minutes // length
            return unit if many == 1 else f"{many} {unit}s"
    return f"{minutes} min"
