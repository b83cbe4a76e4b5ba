"""A destination's mappings: which events each takes, what it does with them, and whether it is switched on."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.parts.mappings.trigger_form import trigger_html
from headwater.console.parts.pieces import attempt, chip, empty, html, link, notice, safe
from headwater.console.person import Person
from headwater.manage.answers import ActionShape, DestinationShape
from headwater.manage.operations.subscriptions import (
    ListSubscriptions,
    SubscriptionInput,
    SubscriptionShape,
    UpdateSubscription,
    list_subscriptions_from_destination,
    update_subscription_for_destination,
)


async def mappings_list(person: Person, one: DestinationShape) -> None:
    """All mappings, and the way to a new one."""
    if not takes_mappings(one):
        notice(
            "This destination takes whole events, as they are.",
            todo="Filters can keep events, or parts of them, from it.",
        )
        return
    asked = ListSubscriptions(destination_id=one.id)
    found = (await person.ask(list_subscriptions_from_destination, asked)).subscriptions
    actions = {action.slug: action for action in one.metadata.actions}
    with ui.element("div").classes("row-line"):
        html('<p class="soft">An event is sent once for each mapping whose trigger holds for it.</p>')
        ui.element("div").classes("grow")
        if person.may("destinations:write"):
            place = f"/console/destinations/{one.id}/mappings/new"
            html(f'<a class="action" href="{place}">Add a mapping</a>')
    if not found:
        empty("No mapping yet", "Without one, no event is sent. Add a mapping to say what is sent for which events.")
        return
    with ui.element("div").classes("mappings").props("role=list"):
        for subscription in found:
            _line(person, one, subscription, actions.get(subscription.action_slug))


async def names_of_mappings(person: Person, one: DestinationShape) -> dict[str, str]:
    """The names of a destination's mappings by their ids; none for one that takes whole events."""
    if not takes_mappings(one):
        return {}
    asked = ListSubscriptions(destination_id=one.id)
    found = (await person.ask(list_subscriptions_from_destination, asked)).subscriptions
    return {each.id: each.name for each in found}


def takes_mappings(one: DestinationShape) -> bool:
    """Does the destination have actions to subscribe to?"""
    return any(action.fields for action in one.metadata.actions)


def _line(person: Person, one: DestinationShape, subscription: SubscriptionShape, action: ActionShape | None) -> None:
    with ui.element("div").classes("mapping").props("role=listitem"):
        switch = ui.switch(value=subscription.enabled).props("dense")
        switch.props["aria-label"] = f"{subscription.name} takes events"
        switch.set_enabled(person.may("destinations:write"))

        async def turn(_: Any) -> None:
            given = SubscriptionInput(enabled=bool(switch.value))
            change = UpdateSubscription(destination_id=one.id, id=subscription.id, input=given)
            await person.ask(update_subscription_for_destination, change)

        switch.on_value_change(attempt(turn))
        name = link(subscription.name, f"/destinations/{one.id}/mappings/{subscription.id}")
        does = safe(action.name) if action is not None else f"{safe(subscription.action_slug)} (no longer there)"
        wrong = "".join(f'<p class="soft">{chip("check", "warn")} {safe(why)}</p>' for why in subscription.problems[:3])
        head = f'<b>{name}</b> <span class="soft">{does}</span>'
        html(f"<div>{head}<p>{trigger_html(subscription.trigger)}</p>{wrong}</div>")


def actions_html(one: DestinationShape) -> str:
    """What can be done there: every preset that is no longer in use may be taken up, or an action from its defaults."""
    place = f"/destinations/{one.id}/mappings/new"
    cards = [
        f'<a class="kind" href="/console{place}?action={safe(action.slug)}"><div><b>{safe(action.name)}</b>'
        f"<p>{safe(action.description)}</p></div></a>"
        for action in one.metadata.actions
        if not action.hidden
    ]
    presets = [
        f'<a class="kind" href="/console{place}?preset={number}"><div><b>{safe(preset.name)}</b>'
        f"<p>{trigger_html(preset.trigger)}</p></div></a>"
        for number, preset in enumerate(one.metadata.presets)
    ]
    ready = f'<h2>Ready made</h2><div class="kinds">{"".join(presets)}</div>' if presets else ""
    return f'<h2>Actions</h2><div class="kinds">{"".join(cards)}</div>{ready}'
