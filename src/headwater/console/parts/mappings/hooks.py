"""The hooks of a saved mapping's action, such as making a list in the tool: what each asks for and what it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.mappings.fields import FieldsForm
from headwater.console.parts.pieces import described, heading, html, notice, pretty
from headwater.console.person import Person
from headwater.manage.answers import ActionField, HookShape
from headwater.manage.operations.destination_questions import (
    ListFieldChoices,
    ListFieldChoicesAnswer,
    RunHook,
    list_field_choices,
    run_hook_of_subscription,
)
from headwater.manage.operations.subscriptions import SubscriptionShape
from headwater.spec.errors import HeadwaterError

_OF_REVERSE_ETL = "retlOnMappingSave"


def offered(hooks: Sequence[HookShape]) -> list[HookShape]:
    """The hooks to offer: the one for reverse ETL, which there is none of, only where it is the only one. Pure."""
    return [one for one in hooks if one.slug != _OF_REVERSE_ETL or len(hooks) == 1]


def inputs_of(fields: Sequence[ActionField], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a hook gets of what was typed: a field that takes several values gets those between commas. Pure."""
    several = {one.field_key for one in fields if one.multiple}
    return {
        key: [part.strip() for part in value.split(",") if part.strip()]
        if key in several and isinstance(value, str)
        else value
        for key, value in given.items()
    }


class HookForm:
    """One hook, and a button that runs it for the mapping as it is saved."""

    def __init__(self, person: Person, saved: SubscriptionShape, hook: HookShape) -> None:
        self._person = person
        self._saved = saved
        self._hook = hook
        heading(hook.label)
        with ui.element("div").classes("card stack"):
            html(f'<p class="soft">{described(hook.description)}</p>')
            self._fields = FieldsForm(hook.fields, {}, lambda: None, self._ask, plain=True)
            with ui.element("div").classes("row-line"):
                self._button = ui.button(hook.label, icon="play_arrow", on_click=self._run).props("outline no-caps")
            self._answer = ui.element("div")
        self._show(saved.hooks.get(hook.slug))

    async def _ask(self, path: str, page: str | None) -> ListFieldChoicesAnswer:
        wanted = ListFieldChoices(
            destination_id=self._saved.destination_id,
            action_id=self._saved.action_id,
            field=path,
            page=page,
            hook=self._hook.slug,
            hook_inputs=inputs_of(self._hook.fields, self._fields.as_it_stands()),
        )
        return await self._person.ask(list_field_choices, wanted)

    async def _run(self) -> None:
        given = self._fields.mapping()
        if given is None:
            return
        wanted = RunHook(
            destination_id=self._saved.destination_id,
            id=self._saved.id,
            hook=self._hook.slug,
            inputs=inputs_of(self._hook.fields, given),
        )
        self._button.props("loading")
        try:
            after = (await self._person.ask(run_hook_of_subscription, wanted)).subscription
        except HeadwaterError as error:
            if not await leave_if_ended(error):
                self._refuse(str(error))
            return
        finally:
            self._button.props(remove="loading")
        self._show(after.hooks.get(self._hook.slug))
        ui.notify("It is done, and kept with the mapping.", type="positive")

    def _refuse(self, why: str) -> None:
        self._answer.clear()
        with self._answer:
            notice(why, tone="error")

    def _show(self, outputs: Any) -> None:
        self._answer.clear()
        if outputs is not None:
            with self._answer:
                html(f'<p class="soft">What came back, and is kept with the mapping:</p>{pretty(outputs)}')
