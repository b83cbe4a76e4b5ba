"""Profiles: everybody who is known in a space, and finding one of them."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.frame import Entry, page
from headwater.console.parts.figures import count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, safe
from headwater.console.parts.profiles.rows import profiles_html
from headwater.console.parts.profiles.spaces import chosen, no_space, source_names, space_field, spaces_of
from headwater.console.parts.profiles.uploads import open_uploads
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.profiles import ListProfiles, ListProfilesAnswer, list_profiles
from headwater.manage.operations.spaces import SpaceShape

_COUNT = 25
_FOUND = 100
_COLLECTIONS = {"users": "People", "accounts": "Companies"}


@page("/profiles", title="Profiles", scope="profiles:read", menu=Entry("group", 32, key="p"))
async def profiles(person: Person, space: str = "", search: str = "", collection: str = "users") -> None:
    use_styles("headline.css")
    use_styles("overview.css")
    use_styles("profiles.css")
    spaces = await spaces_of(person)
    here = chosen(spaces, space)
    if here is None:
        no_space()
        return
    view = _View(person, here, collection if collection in _COLLECTIONS else "users", await _first_source(person))
    with ui.element("div").classes("row-line"):
        view.place_fields(search[:200])
        space_field(spaces, here, "/profiles", collection=collection)
        word = "Upload CSV" if person.may("profiles:write") else "CSV uploads"
        files = ui.button(word, icon="upload_file", on_click=attempt(lambda: open_uploads(person, here)))
        files.props("outline dense")
    view.place_list()
    await view.look()


async def _first_source(person: Person) -> str:
    """Where the lines to send something stand."""
    return next(iter(await source_names(person)), "")


class _View:
    """The list on one page. Of the newest, a page at a time; of what was searched for, the first hundred."""

    def __init__(self, person: Person, space: SpaceShape, collection: str, source_id: str) -> None:
        self._person = person
        self._space = space
        self._collection = collection
        self._source_id = source_id
        self._before: list[str] = [""]
        self._next = ""
        self._asked = 0

    def place_fields(self, search: str) -> None:
        """Place the search and the choice between people and companies."""
        again = attempt(self._again)
        self._search = ui.input(placeholder="E-mail, id or anything that a trait holds", value=search, on_change=again)
        self._search.props("outlined dense clearable debounce=350 type=search maxlength=500")
        self._search.props["aria-label"] = "Search profiles"
        self._search.classes("search grow").style("max-width: 460px")
        choice = ui.toggle(_COLLECTIONS, value=self._collection).classes("spans")
        choice.props('dense no-caps unelevated role=group aria-label="Collection"')
        choice.on_value_change(attempt(self._choose))

    def place_list(self) -> None:
        """Place the list and the buttons that turn its pages."""
        self._said = ui.label().classes("soft")
        self._table = Patched()
        with ui.element("div").classes("row-line") as self._turning:
            self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
            self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")

    async def look(self) -> None:
        """Ask anew, and show it."""
        self._asked += 1
        mine, wanted = self._asked, (self._search.value or "").strip()
        answer = await self._person.ask(
            list_profiles,
            ListProfiles(
                space_id=self._space.id,
                search=wanted,
                traits=bool(wanted),
                collection="accounts" if self._collection == "accounts" else "users",
                count=_FOUND if wanted else _COUNT,
                before="" if wanted else self._before[-1],
            ),
        )
        if mine != self._asked:
            return
        self._next = answer.next
        found, now = answer.profiles, time.time_ns() // 1_000_000
        first = len(self._before) == 1
        self._said.set_text(_said(answer, wanted) if found or wanted else "")
        nothing = _nothing(wanted, self._collection, self._space.slug, self._source_id)
        self._table.show(profiles_html(found, self._space.slug, now, self._person.zone) if found else nothing)
        self._turning.set_visibility(not wanted and bool(self._next or not first))
        self._newer.set_enabled(not first)
        self._older.set_enabled(bool(self._next))

    async def _again(self) -> None:
        self._before = [""]
        await self.look()
        address = {
            "space": self._space.slug,
            "collection": self._collection,
            "search": (self._search.value or "")[:200],
        }
        shown = urlencode({name: value for name, value in address.items() if value})
        ui.navigate.history.replace(f"/console/profiles?{shown}")

    async def _choose(self, event: ValueChangeEventArguments[str]) -> None:
        collection = str(event.value)
        self._collection = collection if collection in _COLLECTIONS else "users"
        await self._again()

    async def _on(self) -> None:
        self._before.append(self._next)
        await self.look()

    async def _back(self) -> None:
        if len(self._before) > 1:
            self._before.pop()
        await self.look()


def _said(answer: ListProfilesAnswer, wanted: str) -> str:
    """What the list is, and what it leaves out."""
    if not wanted:
        return "The newest first."
    shown = len(answer.profiles)
    most = f"The first {count(shown)} are shown; type more to find fewer." if shown >= _FOUND else ""
    found = "1 profile found." if shown == 1 else f"{count(shown)} profiles found."
    looked = (
        f"Identifiers of all profiles were searched from their beginning, and traits of the newest "
        f"{count(answer.searched)} within."
    )
    return f"{most or found} {looked}"


def _nothing(wanted: str, collection: str, space: str, source_id: str) -> Html:
    if wanted:
        return Html(
            f'<div class="empty"><b>Nobody is known by “{safe(wanted[:100])}”</b>Identifiers are compared letter for '
            "letter, from their beginning; traits in any case. What was sent a moment ago may take some seconds.</div>"
        )
    rules = f'<a href="/console/identity?space={safe(space)}">identity rules</a>'
    send = f'<p><a href="/console/sources/{safe(source_id)}">Send the first event</a></p>' if source_id else ""
    if collection == "accounts":
        return Html(
            '<div class="empty"><b>No companies yet</b>A <code>group</code> call makes one: '
            f"<code>analytics.group(&quot;acme&quot;, {{ name: &quot;Acme&quot; }})</code>.{send}</div>"
        )
    return Html(
        '<div class="empty"><b>Nobody is known yet</b>Any event makes a profile of whoever it is about, by its user '
        "id, anonymous id, e-mail or another identifier; <code>identify</code> calls give it traits. Which identifiers "
        f"count, and when two profiles become one, the {rules} say.{send}</div>"
    )
