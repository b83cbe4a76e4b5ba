"""Replays to a destination: events of the archive once more, counted first, followed while they go, and stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from nicegui import ui

from headwater.console.parts.destinations.exchanges import request_html
from headwater.console.parts.figures import count, moment_html, typed_moment
from headwater.console.parts.mappings.trigger_form import trigger_html
from headwater.console.parts.pieces import Tone, attempt, chip, empty, heading, html, notice, safe
from headwater.console.parts.polling import poll
from headwater.console.person import Person
from headwater.manage.answers import DestinationShape
from headwater.manage.operations.replays import (
    CreateReplay,
    ListReplays,
    OneReplay,
    PreviewReplay,
    PreviewReplayAnswer,
    ReplayForm,
    ReplayReceiver,
    ReplayShape,
    cancel_replay,
    create_replay,
    list_replays,
    pause_replay,
    preview_replay,
    resume_replay,
)

_TYPES: Final = ["track", "identify", "page", "screen", "group", "alias"]
_TONES: Final[dict[str, Tone]] = {"running": "accent", "paused": "warn", "failed": "bad", "ended": "good"}
_OPEN: Final = ("waiting", "running", "paused")
_EVERY_SECONDS: Final = 2.0


class Replays:
    """A form for a replay above all that there were to this destination."""

    def __init__(self, person: Person, one: DestinationShape) -> None:
        self._person = person
        self._destination = one
        if person.may("deliveries:write"):
            self._form()
        heading("Replays")
        self._list = ui.element("div").classes("mappings").props("role=list")

    async def start(self) -> None:
        """Show the replays, and go on showing how far they are."""
        await self._show()
        poll(_EVERY_SECONDS, self._show)

    def _form(self) -> None:
        html('<p class="soft">Sends events of the archive again, with the mappings and filters of today.</p>')
        with ui.element("div").classes("card stack"):
            with ui.element("div").classes("row-line"):
                self._from = ui.input("Received from").props("outlined dense type=datetime-local stack-label")
                self._to = ui.input("until").props("outlined dense type=datetime-local stack-label")
                self._types = ui.select(_TYPES, multiple=True, label="Types").props("outlined dense use-chips")
                self._types.classes("category")
                self._names = ui.input("Event names, by commas").props("outlined dense").classes("grow")
            with ui.element("div").classes("row-line"):
                self._user = ui.input("User or anonymous id").props("outlined dense")
                self._condition = ui.input("Where (a query)").props("outlined dense").classes("mono grow")
                self._rate = ui.number("Events a second", value=500, min=1).props("outlined dense")
            with ui.element("div").classes("row-line foot"):
                ui.button("Count first", icon="visibility", on_click=attempt(self._preview)).props("outline")
                ui.button("Start", icon="replay", on_click=attempt(self._create))
                html('<span class="soft">Counting sends nothing. Times are UTC.</span>')
            self._result = ui.element("div").classes("stack")

    def _asked(self) -> ReplayForm:
        names = [name.strip() for name in (self._names.value or "").split(",") if name.strip()]
        return ReplayForm(
            source_id=self._destination.source_id,
            destination_ids=[self._destination.id],
            from_=typed_moment(self._from.value),
            to=typed_moment(self._to.value),
            types=list(self._types.value or []),
            names=names,
            user=(self._user.value or "").strip(),
            condition=(self._condition.value or "").strip(),
        )

    async def _preview(self) -> None:
        self._result.clear()
        with self._result:
            spinner = ui.spinner(size="sm")
        form = self._asked()
        wanted = PreviewReplay(**{name: getattr(form, name) for name in form.__struct_fields__})
        try:
            answer = await self._person.ask(preview_replay, wanted)
        finally:
            self._result.remove(spinner)
        with self._result:
            _counted(answer)

    async def _create(self) -> None:
        form = self._asked()
        fields = {name: getattr(form, name) for name in form.__struct_fields__}
        wanted = CreateReplay(**fields, per_second=int(self._rate.value or 1))
        await self._person.ask(create_replay, wanted)
        ui.notify("The replay has begun.", type="positive")
        self._result.clear()
        await self._show()

    async def _show(self) -> None:
        found = (await self._person.ask(list_replays, ListReplays())).replays
        mine = [one for one in found if self._destination.id in one.destination_ids]
        self._list.clear()
        with self._list:
            if not mine:
                empty("No replay yet", "Send earlier events after a mapping was mended, or to a new destination.")
            for one in mine:
                self._line(one)

    def _line(self, one: ReplayShape) -> None:
        with ui.element("div").classes("mapping").props("role=listitem"):
            html(_line_html(one, self._person.zone)).classes("grow")
            if one.state not in _OPEN or not self._person.may("deliveries:write"):
                return
            if one.state == "paused":
                self._button("Resume", "play_arrow", one, resume_replay)
            else:
                self._button("Pause", "pause", one, pause_replay)
            self._button("Cancel", "stop", one, cancel_replay)

    def _button(self, text: str, icon: str, one: ReplayShape, run: Callable[..., Awaitable[object]]) -> None:
        async def act() -> None:
            await self._person.ask(run, OneReplay(replay_id=one.id))
            await self._show()

        ui.button(text, icon=icon, on_click=attempt(act)).props("outline dense no-caps")


def _counted(answer: PreviewReplayAnswer) -> None:
    found = "more than can be counted" if answer.found is None else count(answer.found)
    html(f"<p><b>{found}</b> events are meant.</p>")
    if not answer.complete:
        notice(f"What follows is of the first {count(answer.read)} of them.", tone="warning")
    if not answer.archived:
        notice("The newest events are not in the archive yet; the replay waits for them.")
    for one in answer.destinations:
        _receiver(one)


def _receiver(one: ReplayReceiver) -> None:
    lines = [f"<li><b>{count(one.deliveries)}</b> deliveries</li>"]
    lines += [
        f"<li>{count(each.events)} are not sent: <code>{safe(each.reason)}</code> {safe(each.meaning)}</li>"
        for each in one.filtered
    ]
    html(f"<ul>{''.join(lines)}</ul>")
    for sample in one.samples:
        requests = "".join(request_html(each) for each in sample.requests)
        shown = requests or f'<p class="soft">{safe(sample.problem)}</p>'
        html(f"<details><summary>What would be sent for {safe(sample.message_id)}</summary>{shown}</details>")


def _line_html(one: ReplayShape, zone: str) -> str:
    share = one.read / one.found if one.found else 0.0
    far = f"{count(one.read)} of {count(one.found)}" if one.found is not None else f"{count(one.read)} so far"
    bar = f'<progress max="1" value="{share:.3f}" aria-label="How far it is"></progress>' if one.state in _OPEN else ""
    which = [*one.types, *one.names, *([f"of {one.user}"] if one.user else [])]
    when = f"{moment_html(one.from_, zone)} to {moment_html(one.to, zone)}"
    what = f'<p class="soft">{safe(", ".join(which) or "all events")}, {when}</p>'
    where = f"<p>{trigger_html(one.condition)}</p>" if one.condition else ""
    why = f'<p class="soft">{safe(one.detail)}</p>' if one.detail else ""
    head = f"<b>{safe(one.name)}</b> {chip(one.state, _TONES.get(one.state, ''))}"
    said = f"<p>{far} events read, {count(one.sent)} deliveries made out, {count(one.filtered)} filtered {bar}</p>"
    return f"<div>{head}{said}{what}{where}{why}</div>"
