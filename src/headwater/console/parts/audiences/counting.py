"""The live count: how many a definition would have now, and who some of them are, while it is still written."""

from __future__ import annotations

import asyncio

from msgspec import UNSET
from nicegui import ui

from headwater.console.parts.audiences.asks import Kind, Level
from headwater.console.parts.audiences.state import bar_html
from headwater.console.parts.figures import count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, html, link, safe, table_html
from headwater.console.parts.profiles.rows import identifier_html, profile_path, short, title_of
from headwater.console.parts.profiles.trait_rows import value_text
from headwater.console.person import Person
from headwater.manage.operations.audience_previews import (
    CreateAudiencePreview,
    GetAudiencePreview,
    PreviewOptions,
    PreviewResult,
    PreviewShape,
    create_audience_preview,
    get_audience_preview,
)
from headwater.manage.operations.audiences import AudienceDefinition

_ASK_SECONDS = (0.1, 0.2, 0.3, 0.5)
"""Pauses between looking whether it is worked out; the last one goes on."""

_SAMPLED = 6
_WIDE = 3


class Counter:
    """The card. The newest definition is counted; what was begun for an older one is let go."""

    def __init__(self, person: Person, kind: Kind, space: str) -> None:
        self._person = person
        self._kind: Kind = kind
        self._space = space
        self._asked = 0
        self._client = ui.context.client
        with ui.element("section").classes("card counter").props("aria-live=polite"):
            html(f"<h2>{'Who would be in it now' if kind == 'audience' else 'Who would have a value now'}</h2>")
            self._shown = Patched()
        self.wait()

    @property
    def may(self) -> bool:
        """May this person see counts? A preview is begun as a change is, and shows who people are."""
        return self._person.may("audiences:write") and self._person.may("profiles:read")

    def wait(self, why: str = "As soon as the definition is whole, it is counted here.") -> None:
        """Show that nothing is counted, and why."""
        self._asked += 1
        said = why if self.may else "Counting takes the scopes audiences:write and profiles:read."
        self._shown.show(Html(f'<p class="soft">{safe(said)}</p>'))

    async def count(self, query: str, level: Level, known_by: tuple[str, ...], days: int) -> None:
        """Count a definition that can be saved."""
        if not self.may:
            return
        self._asked += 1
        mine = self._asked
        options = PreviewOptions(filter_by_external_ids=list(known_by) or UNSET, backfill_event_data_days=days or UNSET)
        wanted = CreateAudiencePreview(
            space_id=self._space,
            definition=AudienceDefinition(query=query),
            audience_type=level,
            options=options,
            kind=self._kind,
        )
        begun = (await self._person.ask(create_audience_preview, wanted)).audience_preview.id
        pauses = list(_ASK_SECONDS)
        while mine == self._asked and not self._client.is_deleted:
            found = GetAudiencePreview(space_id=self._space, id=begun)
            answer = (await self._person.ask(get_audience_preview, found)).audience_preview
            if mine != self._asked:
                return
            self._shown.show(preview_html(self._kind, answer, self._space))
            if answer.status != "RUNNING":
                return
            await asyncio.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])


def preview_html(kind: Kind, found: PreviewShape, space: str) -> Html:
    """A preview as far as it has come. Pure."""
    if found.status == "RUNNING":
        done = f"{count(found.done)} of {count(found.total)}" if found.total else ""
        return Html(
            f'<b class="figure soft">…</b>{bar_html(found.done, found.total)}<small class="soft">{done}</small>'
        )
    if found.status == "FAILED":
        why = "" if found.failure_reason is UNSET else found.failure_reason
        return Html(f'<p class="bad">It could not be counted. {safe(short(why, 300))}</p>')
    size = 0 if found.size is UNSET else found.size.count
    of = "company" if found.audience_type == "ACCOUNTS" else "person"
    many = "companies" if found.audience_type == "ACCOUNTS" else "people"
    figure = f'<b class="figure">{count(size)}</b> <span class="soft">{of if size == 1 else many}</span>'
    results = [] if found.results is UNSET else found.results
    if not results:
        return Html(figure)
    rows = [_row(kind, one, space) for one in results[:_SAMPLED]]
    heads = ("Such as",) if kind == "audience" else ("Such as", "Value")
    return Html(figure + table_html(heads, rows, label="Some of them"))


def _row(kind: Kind, one: PreviewResult, space: str) -> tuple[object, ...]:
    title = title_of(one.name, one.email, one.identifiers, one.id)
    name = link(short(title, 40), profile_path(space, one.id))
    other = next((each for each in one.identifiers if not each.endswith(f":{title}")), "")
    more = f"<small>{identifier_html(other, 30)}</small>" if other else ""
    read = [(name, value) for name, value in one.because.items() if value != title][:_WIDE]
    because = " · ".join(f"{short(name, 30)}: {short(value_text(value), 30)}" for name, value in read)
    why = f"<small>{safe(because)}</small>" if because and kind == "audience" else ""
    who = Html(f'<div class="named">{name}{more}{why}</div>')
    if kind == "audience":
        return (who,)
    return who, Html(f'<span class="trait-value">{safe(short(value_text(one.value), 80))}</span>')
