"""Editing one mapping: its name, its trigger, what each field gets, and beside it what comes of an event."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.parts.confirm import confirm
from headwater.console.parts.mappings.fields import SYNC_MODE, FieldsForm
from headwater.console.parts.mappings.hooks import HookForm, offered
from headwater.console.parts.mappings.trial import Trial
from headwater.console.parts.mappings.trigger_form import TriggerForm
from headwater.console.parts.mappings.values import literals
from headwater.console.parts.pieces import attempt, described, heading, html, notice, safe
from headwater.console.person import Person
from headwater.manage.answers import ActionShape, DestinationShape
from headwater.manage.operations.destination_questions import (
    ListFieldChoices,
    ListFieldChoicesAnswer,
    list_field_choices,
)
from headwater.manage.operations.preview import DraftSubscription
from headwater.manage.operations.subscriptions import (
    CreateDestinationSubscription,
    OneSubscription,
    SubscriptionInput,
    SubscriptionShape,
    UpdateSubscription,
    create_destination_subscription,
    remove_subscription_from_destination,
    update_subscription_for_destination,
)
from headwater.manage.problems import explain
from headwater.spec.errors import SenderError


class MappingEditor:
    """`before` is the mapping as it is saved, or None for one that is being made of `name`, `trigger` and `fields`."""

    def __init__(
        self,
        person: Person,
        destination: DestinationShape,
        action: ActionShape,
        before: SubscriptionShape | None,
        *,
        name: str,
        trigger: str,
        fields: dict[str, Any],
    ) -> None:
        self._person = person
        self._destination = destination
        self._action = action
        self._before = before
        self._trial: Trial | None = None
        with ui.element("div").classes("two wide-left"):
            with ui.element("div").classes("stack"):
                html(f'<p class="soft">{described(action.description)}</p>')
                self._name = ui.input("Name *", value=name).props("outlined dense hide-bottom-space maxlength=255")
                heading("Which events")
                self._trigger = TriggerForm(trigger, self._changed)
                heading("What is sent")
                self._mode = self._sync_mode(fields)
                ask = self._ask if person.may("destinations:write") else None
                self._fields = FieldsForm(action.fields, fields, self._changed, ask, self._synced)
                self._alert = html("")
                self._foot()
                if before is not None and person.may("destinations:write"):
                    for hook in offered(action.hook_forms):
                        HookForm(person, before, hook)
            with ui.element("div").classes("stack trial"):
                if person.may("destinations:write"):
                    self._trial = Trial(person, destination.id, destination.source_id, self._draft)

    async def start(self) -> None:
        """Try the mapping on an event, once the browser is there."""
        if self._trial is not None:
            await self._trial.start()

    def _sync_mode(self, fields: dict[str, Any]) -> ui.select | None:
        choices = {str(one["value"]): str(one["label"]) for one in self._action.sync_mode.get("choices", [])}
        if not choices:
            return None
        value = fields.get(SYNC_MODE) or self._action.sync_mode.get("default")
        mode = ui.select(choices, value=value if value in choices else None, label="How records are synced *")
        mode.props("outlined dense options-dense hide-bottom-space").on_value_change(lambda _: self._fields.changed())
        return mode

    def _synced(self) -> str | None:
        return str(self._mode.value) if self._mode is not None and self._mode.value else None

    def _foot(self) -> None:
        if not self._person.may("destinations:write"):
            notice("Changing this needs the scope destinations:write, which you do not have.", tone="warning")
            return
        with ui.element("div").classes("row-line foot standing"):
            ui.button("Save", on_click=attempt(self._save))
            self._enabled = ui.switch("Take events", value=self._before is None or self._before.enabled).props("dense")
            ui.element("div").classes("grow")
            if self._before is not None:
                asked = confirm(
                    f"Delete “{self._before.name}”?",
                    "What waits to be sent again for it is given up.",
                    "Delete",
                    attempt(self._remove),
                )
                ui.button("Delete", on_click=asked.open).props("outline color=negative")

    def _changed(self) -> None:
        if self._trial is not None:
            self._trial.again()

    async def _ask(self, path: str, page: str | None) -> ListFieldChoicesAnswer:
        wanted = ListFieldChoices(
            destination_id=self._destination.id,
            action_id=self._action.id,
            field=path,
            payload=literals(self._fields.as_it_stands()),
            page=page,
        )
        return await self._person.ask(list_field_choices, wanted)

    def _mapping(self) -> dict[str, Any] | None:
        mapping = self._fields.mapping()
        if mapping is not None and (mode := self._synced()) is not None:
            mapping[SYNC_MODE] = mode
        return mapping

    def _draft(self) -> DraftSubscription | None:
        mapping = self._mapping()
        if mapping is None or not self._trigger.text or not self._trigger.check():
            return None
        return DraftSubscription(
            id=self._before.id if self._before else None,
            action_id=self._action.id,
            trigger=self._trigger.text,
            settings=mapping,
        )

    async def _save(self) -> None:
        called, mapping = (self._name.value or "").strip(), self._mapping()
        self._name.error = None if called else "Needed."
        if not called or mapping is None or not self._trigger.check():
            return
        self._alert.set_content("")
        try:
            made = await self._store(called, mapping)
        except SenderError as error:
            self._refuse(error)
            return
        ui.notify("Saved.", type="positive")
        one = f"/{made}" if made and self._action.hook_forms else ""
        ui.navigate.to(f"/destinations/{self._destination.id}/mappings{one}")

    async def _store(self, called: str, mapping: dict[str, Any]) -> str | None:
        """Save the mapping. Returns the id of one that is new: what its hooks do is done for a saved one."""
        enabled = bool(self._enabled.value)
        if self._before is None:
            wanted = CreateDestinationSubscription(
                destination_id=self._destination.id,
                name=called,
                action_id=self._action.id,
                trigger=self._trigger.text,
                enabled=enabled,
                settings=mapping,
            )
            return (await self._person.ask(create_destination_subscription, wanted)).destination_subscription.id
        given = SubscriptionInput(name=called, trigger=self._trigger.text, enabled=enabled, settings=mapping)
        change = UpdateSubscription(destination_id=self._destination.id, id=self._before.id, input=given)
        await self._person.ask(update_subscription_for_destination, change)
        return None

    def _refuse(self, error: Exception) -> None:
        """Show what the operation refused beside what it is about, and the rest at the foot."""
        _, problems, _ = explain(error)
        others: list[str] = []
        for problem in problems:
            field = (problem.field or "").removeprefix("input.")
            if field == "trigger":
                self._trigger.refuse(problem.message)
            elif not self._fields.refuse(field.removeprefix("settings.").strip("/"), problem.message):
                others.append(problem.message)
        said = "".join(f"<div>{safe(one)}</div>" for one in others)
        self._alert.set_content(f'<div class="notice error" role="alert">{said}</div>' if said else "")

    async def _remove(self) -> None:
        assert self._before is not None
        await self._person.ask(
            remove_subscription_from_destination,
            OneSubscription(destination_id=self._destination.id, id=self._before.id),
        )
        ui.navigate.to(f"/destinations/{self._destination.id}/mappings")
