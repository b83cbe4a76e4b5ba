"""The head of a destination's pages: its name and state, what can be done with it at once, and its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from headwater.console.parts.headline import headline, sections
from headwater.console.parts.pieces import Html, attempt, chip, html, link, notice, safe
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.answers import DestinationShape
from headwater.manage.operations.destinations import (
    OneDestination,
    UpdateDestination,
    get_destination,
    pause_destination,
    resume_destination,
    update_destination,
)
from headwater.manage.operations.sources import ListSources, list_sources

_PARTS = (
    ("Delivery", ""),
    ("Mappings", "/mappings"),
    ("Filters", "/filters"),
    ("Failures", "/failures"),
    ("Replays", "/replays"),
    ("Test", "/test"),
    ("Settings", "/settings"),
)


async def destination_head(person: Person, destination_id: str, part: str) -> DestinationShape:
    """Show the head, and give the destination. Raises what the operation refuses, such as an id that is not known."""
    use_styles("delivery.css")
    one = (await person.ask(get_destination, OneDestination(destination_id=destination_id))).destination
    destination_title(one)
    with ui.element("div").classes("row-line head"):
        html(await _origin(person, one))
        ui.element("div").classes("grow")
        if person.may("destinations:write"):
            _actions(person, one)
    if one.paused:
        notice("This destination is paused: its events wait.", todo="Resume it to send what waits.", tone="warning")
    place = f"/destinations/{one.id}"
    sections([(title, place + end) for title, end in _PARTS], place + part)
    return one


def destination_title(one: DestinationShape) -> None:
    """Show the name and state at the head of the page."""
    headline(one.name, above=("Destinations", "/destinations"), beside=[_state(one)])


def _state(one: DestinationShape) -> Html:
    if not one.enabled:
        return chip("switched off")
    return chip("paused", "warn") if one.paused else chip("enabled", "good")


async def _origin(person: Person, one: DestinationShape) -> str:
    name = one.source_id
    if person.may("sources:read"):
        found = (await person.ask(list_sources, ListSources())).sources
        name = next((source.name for source in found if source.id == one.source_id), name)
    return f'<span class="soft">{safe(one.metadata.name)} · events of {link(name, f"/sources/{one.source_id}")}</span>'


def _actions(person: Person, one: DestinationShape) -> None:
    async def ask_resume() -> None:
        await person.ask(resume_destination, OneDestination(destination_id=one.id))

    async def ask_pause() -> None:
        await person.ask(pause_destination, OneDestination(destination_id=one.id))

    async def ask_switch() -> None:
        await person.ask(update_destination, UpdateDestination(destination_id=one.id, enabled=not one.enabled))

    if one.paused:
        _button("Resume", "play_arrow", ask_resume)
    else:
        _button("Pause", "pause", ask_pause)
    _button("Switch off" if one.enabled else "Switch on", "power_settings_new", ask_switch)


def _button(text: str, icon: str, work: Callable[[], Awaitable[None]]) -> None:
    async def act() -> None:
        await work()
        ui.navigate.reload()

    ui.button(text, icon=icon, on_click=attempt(act)).props("outline dense")
