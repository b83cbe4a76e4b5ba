"""The page on which an audience or computed trait is made or changed."""

from __future__ import annotations

from typing import Any, cast

from nicegui import ui

from headwater.console.parts.audiences.asks import (
    NOUNS,
    PATHS,
    TITLES,
    Kind,
    Level,
    Shown,
    Wanted,
    change,
    find_one,
    make,
    path_of,
)
from headwater.console.parts.audiences.composer import Composer
from headwater.console.parts.audiences.counting import Counter
from headwater.console.parts.audiences.one import STYLES, id_types_of, space_of
from headwater.console.parts.beside import beside
from headwater.console.parts.headline import headline
from headwater.console.parts.later import Later
from headwater.console.parts.pieces import attempt, html, notice, safe
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.spaces import SpaceShape

_LEVELS: dict[Level, str] = {"USERS": "People", "ACCOUNTS": "Companies"}
_HISTORY = {"all": "All events that ever came", "days": "Events of the last days", "none": "Only events from now on"}
_COUNT_SECONDS = 0.5


async def show_editor(
    person: Person, kind: Kind, space_name: str, *, id: str = "", name: str = "", query: str = ""
) -> None:
    """Build the page, of one that stands (`id`) or of a new one with a name and a query to begin with."""
    for sheet in STYLES:
        use_styles(sheet)
    space = await space_of(person, space_name)
    before = await find_one(person, kind, space.id, id) if id else None
    above = (
        (before.name, path_of(kind, space.slug, before.id))
        if before
        else (TITLES[kind], f"{PATHS[kind]}?space={space.slug}")
    )
    headline(f"Edit {before.name}" if before else f"New {NOUNS[kind]}", above=above)
    if not person.may("audiences:write"):
        notice("Saving needs the scope audiences:write, which you do not have.", tone="warning")
    types: dict[Level, list[str]] = {
        "USERS": await id_types_of(person, space.id, "users"),
        "ACCOUNTS": await id_types_of(person, space.id, "accounts"),
    }
    editing = _Editing(person, kind, space, types, before)
    editing.build(name[:255], query[:20_480])
    await ui.context.client.connected()
    await editing.start()


class _Editing:
    """The fields around the definition, and saving."""

    def __init__(
        self, person: Person, kind: Kind, space: SpaceShape, types: dict[Level, list[str]], before: Shown | None
    ) -> None:
        self._person = person
        self._kind: Kind = kind
        self._space = space
        self._types = types
        self._before = before
        self._query = ""

    def build(self, name: str, query: str) -> None:
        """Place everything."""
        before = self._before
        with ui.element("div").classes("editor-columns"):
            with ui.element("div").classes("stack"):
                with ui.element("section").classes("card"), ui.element("div").classes("name-fields"):
                    self._place_names(before.name if before else name, before.description if before else "")
                self._composer = Composer(
                    self._person,
                    self._kind,
                    self._space.slug,
                    query=before.query if before else query,
                    key=before.key if before else "",
                    valid=self._valid,
                    touched=self._touched,
                )
                self._composer.level = self._level()
            with ui.element("div").classes("stack beside-form"):
                self._counter = Counter(self._person, self._kind, self._space.slug)
                self._later = Later(_COUNT_SECONDS, self._count)
                self._place_options()
                with ui.element("div").classes("row-line save-line"):
                    self._save = ui.button("Save" if before else f"Make {NOUNS[self._kind]}", on_click=self._send)
                    self._save.disable()
                    if before:
                        html('<span class="soft">Another definition is worked out anew.</span>')

    async def start(self) -> None:
        """Show the definition, and what can be chosen from."""
        await attempt(self._composer.start)()

    def _place_names(self, name: str, description: str) -> None:
        before = self._before
        self._name = ui.input("Name", value=name, on_change=self._fit).props("outlined dense maxlength=255")
        self._name.props("autocomplete=off hide-bottom-space")
        if not name:
            self._name.props("autofocus")
        self._of = ui.select(dict(_LEVELS), value=before.level if before else "USERS", label="Of")
        self._of.props("outlined dense options-dense").on_value_change(attempt(self._leveled))
        self._of.set_enabled(before is None)
        self._description = ui.input("What it is for", value=description).props("outlined dense maxlength=2000")
        self._description.classes("whole-line")

    def _place_options(self) -> None:
        before = self._before
        with ui.element("section").classes("card form"):
            html("<h2>Options</h2>")
            if self._kind == "trait" and before is not None:
                past = "the last days" if before.days else "all events" if before.history else "no past events"
                html(f'<div class="soft">It was made with {safe(past)}, which stays.</div>')
            kept = ("days" if before.days else "all" if before.history else "none") if before else "all"
            self._history = ui.select(dict(_HISTORY), value=kept, label="What counts").props("outlined dense")
            self._days = ui.number("Days", value=before.days or 90 if before else 90, min=1, max=3_650)
            self._days.props("outlined dense debounce=300")
            self._days.bind_visibility_from(self._history, "value", value="days")
            for one in (self._history, self._days):
                one.on_value_change(self._recount)
                one.set_enabled(self._kind == "audience" or before is None)
            self._known = ui.select([], multiple=True, label="Profiles with one of").props("outlined dense use-chips")
            self._known.on_value_change(self._recount)
            self._known.set_visibility(self._kind == "audience")
            self._anonymous = ui.checkbox("Tell identifiers of anonymous people too")
            self._anonymous.set_visibility(self._kind == "trait" and before is None)
            self._fit_types()

    def _fit_types(self) -> None:
        level = self._level()
        types = self._types[level]
        first = [one for one in ("user_id", "email", "android.idfa", "ios.idfa") if one in types]
        known = list(self._before.known_by) if self._before else first if level == "USERS" else types
        options = list(dict.fromkeys([*types, *known]))
        self._known.set_options({one: one for one in options}, value=known)
        self._known.set_visibility(self._kind == "audience" and bool(options))

    def _level(self) -> Level:
        return cast("Level", self._of.value)

    async def _leveled(self, _: Any = None) -> None:
        self._fit_types()
        self._composer.level = self._level()
        await self._composer.again()

    def _valid(self, query: str) -> None:
        self._query = query
        self._fit()
        if query:
            self._later.want()
        else:
            self._counter.wait()

    def _touched(self) -> None:
        self._query = ""
        self._fit()

    def _fit(self) -> None:
        self._name.error = None
        may = self._person.may("audiences:write")
        self._save.set_enabled(may and bool(self._query) and bool((self._name.value or "").strip()))

    def _recount(self) -> None:
        if self._query:
            self._later.want()

    async def _count(self) -> None:
        wanted = self._wanted()
        if not wanted.query:
            return
        if wanted.history:
            await self._counter.count(wanted.query, wanted.level, wanted.known_by, wanted.days)
        else:
            self._counter.wait("What came before does not count, so it begins with nobody.")

    def _wanted(self) -> Wanted:
        days = self._days.value or 0
        known: Any = self._known.value or []
        return Wanted(
            name=(self._name.value or "").strip(),
            description=(self._description.value or "").strip(),
            query=self._query,
            level=self._level(),
            enabled=self._before.enabled if self._before else True,
            history=self._history.value != "none",
            days=int(days) if self._history.value == "days" and days >= 1 else 0,
            known_by=tuple(str(one) for one in known) if self._kind == "audience" else (),
            anonymous=bool(self._anonymous.value),
        )

    async def _send(self) -> None:
        wanted = self._wanted()
        if not wanted.query or not wanted.name:
            return

        async def save() -> None:
            if self._before is None:
                made = await make(self._person, self._kind, self._space.id, wanted)
                ui.navigate.to(path_of(self._kind, self._space.slug, made.id))
            else:
                await change(self._person, self._before, self._space.id, wanted)
                ui.navigate.to(path_of(self._kind, self._space.slug, self._before.id))

        await beside(save, name=self._name)
