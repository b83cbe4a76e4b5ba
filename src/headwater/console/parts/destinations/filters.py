"""The filters of a destination: what keeps events, or parts of them, from it, each to switch, edit and try."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.parts.confirm import confirm
from headwater.console.parts.destinations.filter_rules import KINDS, Rule, action_of, rule_of, said
from headwater.console.parts.mappings.sample import SampleEvent
from headwater.console.parts.mappings.trigger_form import trigger_html
from headwater.console.parts.pieces import attempt, empty, heading, html, notice, pretty, safe
from headwater.console.person import Person
from headwater.manage.answers import DestinationShape
from headwater.manage.operations.destination_filters import (
    CreateFilterForDestination,
    DestinationFilterShape,
    FilterToPreview,
    ListDestinationFilters,
    OneDestinationFilter,
    PreviewDestinationFilter,
    UpdateFilterForDestination,
    create_filter_for_destination,
    list_filters_from_destination,
    preview_destination_filter,
    remove_filter_from_destination,
    update_filter_for_destination,
)
from headwater.manage.problems import explain
from headwater.spec.errors import SenderError


class Filters:
    """All filters above a form for one, and beside it what that leaves of an event."""

    def __init__(self, person: Person, one: DestinationShape) -> None:
        self._person = person
        self._destination = one
        self._editing: DestinationFilterShape | None = None
        may = person.may("destinations:write")
        html('<p class="soft">Filters look at each event before the mappings do. They matter to replays too.</p>')
        self._list = ui.element("div").classes("mappings").props("role=list")
        if may:
            with ui.element("div").classes("two"):
                with ui.element("div").classes("stack"):
                    self._form()
                with ui.element("div").classes("stack"):
                    heading("Try it")
                    self._event = SampleEvent(person, one.source_id, height=220)
                    ui.button("Try", icon="visibility", on_click=attempt(self._try)).props("outline dense no-caps")
                    self._result = ui.element("div").classes("stack")

    async def start(self) -> None:
        """Show the filters, and offer events, once the browser is there."""
        await self._show()
        if self._person.may("destinations:write"):
            await self._event.start()

    def _form(self) -> None:
        self._heading = heading("A new filter")
        self._title = ui.input("Title *").props("outlined dense hide-bottom-space maxlength=64")
        self._condition = ui.input("For events where *").props("outlined dense hide-bottom-space").classes("mono")
        self._condition.props["hint"] = "A query such as event = 'Test' or properties.total < 5; `all` is every event."
        self._kind = ui.select(KINDS, value="DROP", label="What it does").props("outlined dense options-dense")
        self._percent = ui.number("Share that is sent, in percent", value=10, min=0, max=100).props("outlined dense")
        self._path = ui.input("The same ones by", value="userId").props("outlined dense")
        self._fields = ui.textarea("Properties").props("outlined dense autogrow").classes("mono")
        self._fields.props["hint"] = "An object and its keys a line: properties: email, phone. The event itself: event."
        self._kind.on_value_change(lambda _: self._fit())
        self._alert = html("")
        with ui.element("div").classes("row-line foot"):
            ui.button("Save", on_click=attempt(self._save))
            self._cancel = ui.button("Cancel", on_click=lambda: self._edit(None)).props("flat")
        self._edit(None)

    def _fit(self) -> None:
        """Show the inputs of what is chosen."""
        for element in (self._percent, self._path):
            element.set_visibility(self._kind.value == "SAMPLE")
        self._fields.set_visibility(str(self._kind.value).endswith("PROPERTIES"))

    def _edit(self, one: DestinationFilterShape | None) -> None:
        self._editing = one
        self._heading.set_content(f"<h2>{safe(one.title) if one else 'A new filter'}</h2>")
        rule = rule_of(one.actions[0]) if one and one.actions else Rule()
        self._title.set_value(one.title if one else "")
        self._condition.set_value(one.condition if one else "")
        self._kind.set_value(rule.kind)
        self._percent.set_value(rule.percent)
        self._path.set_value(rule.path)
        self._fields.set_value(rule.fields)
        self._cancel.set_visibility(one is not None)
        self._alert.set_content("")
        self._condition.error = None
        self._fit()

    def _rule(self) -> Rule:
        return Rule(
            str(self._kind.value), float(self._percent.value or 0), self._path.value or "", self._fields.value or ""
        )

    async def _save(self) -> None:
        title, condition = (self._title.value or "").strip(), (self._condition.value or "").strip()
        self._title.error = None if title else "Needed."
        self._condition.error = None if condition else "Needed; `all` is every event."
        if not title or not condition:
            return
        try:
            actions = [action_of(self._rule())]
            await self._store(title, condition, actions)
        except ValueError as error:
            self._say(str(error))
        except SenderError as error:
            _, problems, _ = explain(error)
            for problem in problems:
                if problem.field == "if":
                    self._condition.error = problem.message
                else:
                    self._say(problem.message)
        else:
            ui.notify("Saved.", type="positive")
            self._edit(None)
            await self._show()

    async def _store(self, title: str, condition: str, actions: list[Any]) -> None:
        before = self._editing
        if before is None:
            wanted = CreateFilterForDestination(
                destination_id=self._destination.id,
                source_id=self._destination.source_id,
                condition=condition,
                actions=actions,
                title=title,
                enabled=True,
            )
            await self._person.ask(create_filter_for_destination, wanted)
            return
        change = UpdateFilterForDestination(
            destination_id=self._destination.id,
            filter_id=before.id,
            condition=condition,
            actions=[*actions, *before.actions[1:]],
            title=title,
        )
        await self._person.ask(update_filter_for_destination, change)

    def _say(self, why: str) -> None:
        self._alert.set_content(f'<div class="notice error" role="alert">{safe(why)}</div>')

    async def _try(self) -> None:
        self._result.clear()
        with self._result:
            try:
                condition = (self._condition.value or "").strip() or "all"
                given = FilterToPreview(condition=condition, actions=[action_of(self._rule())])
                asked = PreviewDestinationFilter(filter=given, payload=self._event.read())
                left = (await self._person.ask(preview_destination_filter, asked)).result
            except (ValueError, SenderError) as error:
                notice(str(error), tone="error")
                return
            if left is None:
                notice("The event would not be sent.", tone="warning")
            else:
                html(f"<p>What would be left of the event:</p>{pretty(left)}")

    async def _show(self) -> None:
        asked = ListDestinationFilters(destination_id=self._destination.id)
        found = (await self._person.ask(list_filters_from_destination, asked)).filters
        self._list.clear()
        with self._list:
            if not found:
                empty("No filter", "Every event of the source comes here, unless its sender excludes it.")
            for one in found:
                self._line(one)

    def _line(self, one: DestinationFilterShape) -> None:
        may = self._person.may("destinations:write")

        async def turn(event: Any) -> None:
            change = UpdateFilterForDestination(
                destination_id=self._destination.id, filter_id=one.id, enabled=bool(event.value)
            )
            await self._person.ask(update_filter_for_destination, change)

        async def remove() -> None:
            gone = OneDestinationFilter(destination_id=self._destination.id, filter_id=one.id)
            await self._person.ask(remove_filter_from_destination, gone)
            self._edit(None)
            await self._show()

        with ui.element("div").classes("mapping").props("role=listitem"):
            switch = ui.switch(value=one.enabled).props("dense")
            switch.props["aria-label"] = f"{one.title} is in force"
            switch.set_enabled(may)
            switch.on_value_change(attempt(turn))
            does = f'<p>{trigger_html(one.condition)}</p><p class="soft">{safe(said(one.actions))}</p>'
            html(f"<div><b>{safe(one.title)}</b>{does}</div>").classes("grow")
            if may:
                edit = ui.button(icon="edit", on_click=lambda: self._edit(one)).props("flat dense round")
                edit.props["aria-label"] = f"Edit {one.title}"
                asked = confirm(
                    f"Delete “{one.title}”?", "Events are no longer filtered by it.", "Delete", attempt(remove)
                )
                drop = ui.button(icon="delete", on_click=asked.open).props("flat dense round")
                drop.props["aria-label"] = f"Delete {one.title}"
