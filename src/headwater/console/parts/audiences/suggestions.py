"""What was seen so far, to choose from while a form is filled in: events, their properties, and traits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from itertools import chain

from nicegui import ui

from headwater.console.parts.audiences.asks import Kind, find_all
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, safe
from headwater.console.person import Person
from headwater.manage.operations.schema import (
    GetSchemaOfEvent,
    GetSchemaOfEventAnswer,
    ListSchemaOfSource,
    get_schema_of_event,
    list_schema_of_source,
)
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination
from headwater.spec.errors import SenderError

EVENTS = "seen-events"
TRAITS = "seen-traits"
_SOURCES = 20
_NAMES = 300
_OFFERED = 500
_ALIASES = {"page": "Page Viewed", "screen": "Screen Viewed"}
"""What the language calls calls that are no track calls."""

_OWN = {"Page Viewed": "page_name", "Screen Viewed": "screen_name"}


class Suggestions:
    """The lists of one page. Fields refer to them by id; what is not in a list can be typed as well."""

    def __init__(self, person: Person, space_id: str) -> None:
        self._person = person
        self._space_id = space_id
        self._seen: dict[str, list[tuple[str, str, str]]] = {}
        """Where an event was seen, by name: source, type and name there."""

        self._asked: dict[str, str] = {}
        self._client = ui.context.client
        self._names = Patched().style("display: none")
        self._place = ui.element("div").style("display: none")
        self.audiences: dict[str, str] = {}
        """The audiences of the space: names by key."""

    async def load(self) -> None:
        """Ask which audiences there are, and what was seen, as far as this person may know."""
        found = await asyncio.gather(*(self._keys(kind) for kind in ("audience", "trait")))
        self.audiences = dict(found[0])
        traits = list(dict.fromkeys(key for key, _ in found[1]))
        await self._load_events()
        paths = await asyncio.gather(*(self._schema(one) for one in self._identifies()))
        traits += _paths(paths)
        self._names.show(_list(EVENTS, self._seen) + _list(TRAITS, dict.fromkeys(traits)))

    def list_of(self, event: str) -> str:
        """The id of the list of properties of an event's name; the list is filled as soon as they are known."""
        if not event or event not in self._seen or not self._person.may("events:read"):
            return ""
        if event not in self._asked:
            self._asked[event] = f"seen-in-{len(self._asked)}"
            ui.timer(0.01, lambda: attempt(self._fill)(event), once=True)
        return self._asked[event]

    async def _fill(self, event: str) -> None:
        found = await asyncio.gather(*(self._schema(one) for one in self._seen[event][:_SOURCES]))
        own = [_OWN[event]] if event in _OWN else []
        with self._client, self._place:
            Patched(_list(self._asked[event], dict.fromkeys([*own, *_paths(found)])))

    async def _keys(self, kind: Kind) -> list[tuple[str, str]]:
        found, _ = await find_all(self._person, kind, self._space_id)
        return [(one.key, one.name) for one in found]

    async def _load_events(self) -> None:
        if not self._person.may("sources:read"):
            return
        sources = (await self._person.ask(list_sources, ListSources(pagination=Pagination(count=_SOURCES)))).sources
        wanted = (ListSchemaOfSource(source_id=one.id, pagination=Pagination(count=_NAMES)) for one in sources)
        answers = await asyncio.gather(*(self._person.ask(list_schema_of_source, one) for one in wanted))
        for source, answer in zip(sources, answers, strict=True):
            for one in answer.events:
                name = _ALIASES.get(one.type, one.name if one.type == "track" else f"\0{one.type}")
                if name and not one.overflow:
                    self._seen.setdefault(name, []).append((source.id, one.type, one.name))

    def _identifies(self) -> list[tuple[str, str, str]]:
        return [*self._seen.get("\0identify", ()), *self._seen.get("\0group", ())]

    async def _schema(self, one: tuple[str, str, str]) -> GetSchemaOfEventAnswer | None:
        if not self._person.may("events:read"):
            return None
        source_id, type, name = one
        try:
            return await self._person.ask(
                get_schema_of_event, GetSchemaOfEvent(source_id=source_id, type=type, name=name)
            )
        except SenderError:
            return None  # it was forgotten meanwhile


def _paths(found: Iterable[GetSchemaOfEventAnswer | None]) -> list[str]:
    """The paths of all, as the language writes them."""
    paths = chain.from_iterable(one.paths for one in found if one is not None)
    return list(dict.fromkeys(one.path.replace("[]", ".$") for one in paths))


def _list(id: str, names: Collection[str]) -> Html:
    shown = [name for name in names if not name.startswith("\0")][:_OFFERED]
    options = "".join(f'<option value="{safe(name)}"></option>' for name in shown)
    return Html(f'<datalist id="{safe(id)}">{options}</datalist>')
