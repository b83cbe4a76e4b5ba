"""Trying an event on a destination: which decisions it meets, what is sent, and what is answered (8.6)."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from headwater.console.parts.destinations.exchanges import request_html, response_html
from headwater.console.parts.mappings.sample import SampleEvent
from headwater.console.parts.pieces import Html, attempt, chip, heading, html, notice, pretty, safe
from headwater.console.person import Person
from headwater.manage.operations.preview import (
    PreviewDelivery,
    PreviewDeliveryAnswer,
    PreviewStep,
    PreviewSubscription,
    preview_delivery,
)


class DeliveryTest:
    """An editor for the event, and beside it what came of trying it."""

    def __init__(self, person: Person, destination_id: str, source_id: str) -> None:
        self._person = person
        self._destination_id = destination_id
        with ui.element("div").classes("two"):
            with ui.element("div").classes("stack"):
                heading("Event")
                self._event = SampleEvent(person, source_id, height=340)
                with ui.element("div").classes("row-line"):
                    ui.button("Preview", icon="visibility", on_click=attempt(self._preview))
                    ui.button("Send it", icon="send", on_click=attempt(self._send)).props("outline")
                    self._unfiltered = ui.checkbox("Ignore filters").props("dense")
                html('<p class="soft">A preview sends nothing. “Send it” sends a real request and counts nowhere.</p>')
            with ui.element("div").classes("stack"):
                self._result = ui.element("div").classes("stack")
                with self._result:
                    heading("What would happen")
                    html('<p class="soft">Choose or type an event, and preview it.</p>')

    async def start(self) -> None:
        """Offer recent events of the destination's source, once the browser is there."""
        await self._event.start()

    async def _preview(self) -> None:
        await self._try(send=False)

    async def _send(self) -> None:
        await self._try(send=True)

    async def _try(self, *, send: bool) -> None:
        try:
            event = self._event.read()
        except ValueError as error:
            self._result.clear()
            with self._result:
                notice(str(error), tone="error")
            return
        wanted = PreviewDelivery(
            destination_id=self._destination_id,
            event=event,
            send=send,
            ignore_filters=bool(self._unfiltered.value),
        )
        answer = await self._person.ask(preview_delivery, wanted)
        self._result.clear()
        with self._result:
            if send and not answer.sent:
                notice("Nothing was sent.", todo="What follows says why.", tone="warning")
            _show(answer)


def _show(answer: PreviewDeliveryAnswer) -> None:
    heading("What happened" if answer.sent else "What would happen")
    html(steps_html(answer.steps))
    if answer.subscriptions:
        heading("Mappings")
        html(subscriptions_html(answer.subscriptions))
    if answer.response is not None:
        heading("Answer")
        html(response_html(answer.response))
    if answer.requests:
        heading(about_requests(len(answer.requests), stopped=not all(one.passed for one in answer.steps)))
    for request in answer.requests:
        html(request_html(request))
    if answer.event is not None:
        html(f"<details><summary>The event as it would be published</summary>{pretty(answer.event)}</details>")


def about_requests(number: int, *, stopped: bool) -> str:
    """What stands above requests: those of an event that is stopped are shown, and not sent. Pure."""
    name = "Requests" if number > 1 else "Request"
    return f"{name}, if nothing stopped the event" if stopped else name


def steps_html(steps: Sequence[PreviewStep]) -> Html:
    """Each decision, in order, and whether the event passed it."""
    return Html(f'<ol class="decisions">{"".join(_step(one) for one in steps)}</ol>')


def _step(one: PreviewStep) -> str:
    mark = chip("passed", "good") if one.passed else chip("stopped", "bad")
    why = "" if one.passed else f" <code>{safe(one.reason)}</code> {safe(one.meaning)}"
    name = f" {safe(one.name)}" if one.name else ""
    return f"<li><b>{safe(one.step.capitalize())}</b>{name} {mark}{why}</li>"


def subscriptions_html(found: Sequence[PreviewSubscription]) -> Html:
    """Each mapping, whether it takes the event, and what is wrong with what it makes of it."""
    return Html(f'<ol class="decisions">{"".join(_subscription(one) for one in found)}</ol>')


def _subscription(one: PreviewSubscription) -> str:
    mark = chip("match", "good") if one.matched else chip("no match")
    off = "" if one.enabled else f" {chip('switched off', 'warn')}"
    why = " ".join(filter(None, (one.why, *one.problems, one.detail)))
    return f'<li><b>{safe(one.name)}</b> {mark}{off} <span class="soft">{safe(why)}</span></li>'
