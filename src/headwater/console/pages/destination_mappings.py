"""The mappings of a destination: all of them, one to edit, and one to make."""

from __future__ import annotations

from typing import Any

from headwater.console.frame import page
from headwater.console.parts.destinations.head import destination_head
from headwater.console.parts.mappings.editor import MappingEditor
from headwater.console.parts.mappings.list import actions_html, mappings_list
from headwater.console.parts.pieces import html, notice
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.answers import ActionShape, DestinationShape
from headwater.manage.operations.subscriptions import OneSubscription, get_subscription_from_destination


@page("/destinations/{destination_id}/mappings", title="Destination", scope="destinations:read")
async def destination_mappings(person: Person, destination_id: str) -> None:
    use_styles("mappings.css")
    await mappings_list(person, await destination_head(person, destination_id, "/mappings"))


@page("/destinations/{destination_id}/mappings/new", title="Destination", scope="destinations:write")
async def new_mapping(person: Person, destination_id: str, action: str = "", preset: str = "") -> None:
    use_styles("mappings.css")
    one = await destination_head(person, destination_id, "/mappings")
    presets = dict(enumerate(one.metadata.presets))
    chosen = presets.get(int(preset)) if preset.isdecimal() and len(preset) < 5 else None
    found = _action(one, chosen.action_id if chosen is not None else action)
    if found is None:
        html(actions_html(one))
        return
    fields: dict[str, Any] = chosen.fields if chosen is not None else _proposed(found)
    trigger = chosen.trigger if chosen is not None else found.default_trigger or 'type = "track"'
    name = chosen.name if chosen is not None else found.name
    await MappingEditor(person, one, found, None, name=name, trigger=trigger, fields=fields).start()


@page("/destinations/{destination_id}/mappings/{subscription_id}", title="Destination", scope="destinations:read")
async def edit_mapping(person: Person, destination_id: str, subscription_id: str) -> None:
    use_styles("mappings.css")
    one = await destination_head(person, destination_id, "/mappings")
    asked = OneSubscription(destination_id=destination_id, id=subscription_id)
    before = (await person.ask(get_subscription_from_destination, asked)).subscription
    found = _action(one, before.action_id)
    if found is None:
        notice("The destination no longer has the action of this mapping.", tone="warning")
        return
    editor = MappingEditor(person, one, found, before, name=before.name, trigger=before.trigger, fields=before.settings)
    await editor.start()


def _action(one: DestinationShape, wanted: str) -> ActionShape | None:
    return next((action for action in one.metadata.actions if wanted in (action.id, action.slug)), None)


def _proposed(action: ActionShape) -> dict[str, Any]:
    return {field.field_key: field.default_value for field in action.fields if field.default_value is not None}
