"""A query as text and as a form, in step with each other; what is wrong is shown at its place in the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from headwater.console.parts.audiences.asks import Kind, Level
from headwater.console.parts.audiences.builder import AudienceBuilder
from headwater.console.parts.audiences.suggestions import Suggestions
from headwater.console.parts.audiences.trait_builder import TraitBuilder
from headwater.console.parts.editor import Editor
from headwater.console.parts.later import Later
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, chip, html, safe
from headwater.console.parts.profiles.rows import short
from headwater.console.person import Person
from headwater.manage.operations.computations import CheckQuery, CheckQueryAnswer, QueryProblem, check_query
from headwater.manage.operations.query_forms import (
    AudienceForm,
    EventLine,
    GetFormQuery,
    GetQueryForm,
    TraitForm,
    get_form_query,
    get_query_form,
)

_TYPING_SECONDS = 0.4
_FORM_SECONDS = 0.15
_HAND = (
    "This query is written by hand: it says more than the form has fields for. Change it in the text; when it fits the "
    "form again, the form comes back."
)


class Composer:
    """The form and the text. `valid` is called with each query that can be saved, with nothing while there is none.

    `touched` is called while something is typed that has not been looked at yet.
    """

    def __init__(
        self,
        person: Person,
        kind: Kind,
        space: str,
        *,
        query: str,
        key: str,
        valid: Callable[[str], Any],
        touched: Callable[[], Any],
    ) -> None:
        self._person = person
        self._kind: Kind = kind
        self._space = space
        self._key = key
        self._valid = valid
        self._touched = touched
        self.level: Level = "USERS"
        self._suggestions = Suggestions(person, space)
        self._written = query
        """The text that stands in the editor, as far as is known here: what differs was typed."""

        self._formed = ""
        """The canonical text of what the form shows."""

        self._build(query)

    def _build(self, query: str) -> None:
        from_form, from_text = Later(_FORM_SECONDS, self._from_form), Later(_TYPING_SECONDS, self._from_text)
        with ui.element("section").classes("card form-card"):
            html("<h2>Definition</h2>")
            self._hand = html(f'<div class="notice" role="status">{_HAND}</div>')
            self._hand.set_visibility(False)
            with ui.element("div") as self._form_place:
                if self._kind == "audience":
                    self._builder: AudienceBuilder | TraitBuilder = AudienceBuilder(self._suggestions, from_form.want)
                else:
                    self._builder = TraitBuilder(self._suggestions, from_form.want)
            self._hint = ui.label().classes("soft hint-line").props("role=status")
        with ui.element("section").classes("card"):
            html('<h2>Query</h2><p class="soft">The same as text; either can be changed.</p>')
            self._editor = Editor(query, language="SQL", height=120, label="The query, as text")
            self._editor.on_value_change(lambda event: self._typed(event.value or "", from_text))
            self._said = Patched().classes("query-said")

    async def start(self) -> None:
        """Show what the first query says, and what there is to choose from."""
        await self._suggestions.load()
        if self._written.strip():
            await self._take(self._written)
        elif isinstance(self._builder, AudienceBuilder):
            self._builder.show(AudienceForm(parts=(EventLine(event=""),)))

    async def again(self) -> None:
        """Check the query anew: something else changed that it is held against."""
        await self._take(self._editor.value or "")

    def _typed(self, text: str, later: Later) -> None:
        if text != self._written:
            self._written = text
            self._touched()
            later.want()

    async def _from_text(self) -> None:
        await self._take(self._written)

    async def _from_form(self) -> None:
        form = self._builder.given()
        if form is None:
            self._hint.set_text("Something is not filled in yet; the query is as before.")
            self._valid("")
            return
        self._hint.set_text("")
        query = (await self._person.ask(get_form_query, GetFormQuery(space_id=self._space, form=form))).query
        self._formed = query
        self._written = query
        self._editor.set_value(query)
        self._show(await self._check(query), query)

    async def _take(self, text: str) -> None:
        """Show in the form what a text says."""
        if not text.strip():
            self._editor.point_at(None)
            self._said.show("")
            self._valid("")
            return
        checked = await self._check(text)
        if text != self._written:
            return
        self._show(checked, text)
        if not checked.ok or checked.canonical == self._formed:
            return
        asked = GetQueryForm(space_id=self._space, query=text)
        form = (await self._person.ask(get_query_form, asked)).form
        self._show_form(form)
        self._formed = checked.canonical

    def _show_form(self, form: AudienceForm | TraitForm | None) -> None:
        self._hint.set_text("")
        fits = True
        match self._builder:
            case AudienceBuilder() as builder if isinstance(form, AudienceForm):
                builder.show(form)
            case TraitBuilder() as builder if isinstance(form, TraitForm):
                builder.show(form)
            case _:
                fits = False
        self._hand.set_visibility(not fits)
        self._form_place.set_visibility(fits)

    async def _check(self, query: str) -> CheckQueryAnswer:
        wanted = CheckQuery(space_id=self._space, query=query, kind=self._kind, level=self.level, key=self._key)
        return await self._person.ask(check_query, wanted)

    def _show(self, checked: CheckQueryAnswer, query: str) -> None:
        if checked.error is not None:
            self._editor.point_at((checked.error.line, checked.error.column))
            self._said.show(problem_html(checked.error))
            self._valid("")
            return
        self._editor.point_at(None)
        self._said.show(references_html(checked))
        self._valid(query)


def problem_html(problem: QueryProblem) -> Html:
    """What is wrong with a query, with its place. Pure."""
    excerpt = f"<pre>{safe(problem.excerpt)}</pre>" if problem.excerpt else ""
    said = problem.expected[:1].upper() + problem.expected[1:]
    return Html(
        f'<div class="notice error" role="alert">Line {problem.line}, column {problem.column}: '
        f"{safe(said)}.{excerpt}</div>"
    )


def references_html(checked: CheckQueryAnswer) -> Html:
    """What a query refers to. Pure."""
    parts = [
        ("Events", checked.events),
        ("Traits", checked.traits),
        ("Audiences", checked.audiences),
        ("Computed traits", checked.computed_traits),
    ]
    shown = " ".join(
        f'<span class="soft">{name}</span> {" ".join(chip(short(one, 40)) for one in found[:12])}'
        for name, found in parts
        if found
    )
    return Html(f'<div class="refers">{shown}</div>')
