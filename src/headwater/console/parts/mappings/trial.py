"""What a mapping makes of an event, while it is edited: does it match, what comes out, and what would be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nicegui import background_tasks, ui

from headwater.console.parts.destinations.exchanges import request_html, response_html
from headwater.console.parts.mappings.sample import SampleEvent
from headwater.console.parts.pieces import attempt, chip, heading, html, notice, pretty, safe
from headwater.console.person import Person
from headwater.manage.operations.preview import (
    DraftSubscription,
    PreviewDelivery,
    PreviewSubscription,
    preview_delivery,
)
from headwater.spec.errors import HeadwaterError

_REST_SECONDS = 0.6


class Trial:
    """`draft` gives the mapping as it stands, or None while it cannot be tried."""

    def __init__(
        self, person: Person, destination_id: str, source_id: str, draft: Callable[[], DraftSubscription | None]
    ) -> None:
        self._person = person
        self._destination_id = destination_id
        self._draft = draft
        self._client = ui.context.client
        self._soon: asyncio.TimerHandle | None = None
        heading("Try it")
        self._event = SampleEvent(person, source_id, height=220, told=self.again)
        with ui.element("div").classes("row-line"):
            ui.button("Send this one", icon="send", on_click=attempt(self._send)).props("outline dense no-caps")
            html('<span class="soft">What follows is only shown. “Send” really sends, and counts nowhere.</span>')
        self._result = ui.element("div").classes("stack")

    async def start(self) -> None:
        """Offer events, and try at once."""
        await self._event.start()
        self.again()

    def again(self) -> None:
        """Try once more, as soon as nothing has changed for a moment."""
        if self._soon is not None:
            self._soon.cancel()
        self._soon = asyncio.get_running_loop().call_later(_REST_SECONDS, self._start_trying)

    def _start_trying(self) -> None:
        background_tasks.create(self._try(send=False))

    async def _send(self) -> None:
        await self._try(send=True)

    async def _try(self, *, send: bool) -> None:
        self._soon = None
        if self._client.id not in self._client.instances:
            return
        draft = self._draft()
        if draft is None:
            with self._client:
                self._say("It cannot be tried yet: the trigger or a field is missing or wrong.")
            return
        with self._client:
            try:
                asked = PreviewDelivery(
                    destination_id=self._destination_id, event=self._event.read(), send=send, subscription=draft
                )
                answer = await self._person.ask(preview_delivery, asked)
            except (ValueError, HeadwaterError) as error:
                self._say(str(error))
                return
            self._result.clear()
            with self._result:
                if answer.subscriptions:
                    _show(answer.subscriptions[0], sent=answer.sent)
                else:
                    stopped = next((one for one in answer.steps if not one.passed), None)
                    notice(stopped.meaning if stopped else "Nothing came of it.", tone="warning")

    def _say(self, why: str) -> None:
        self._result.clear()
        with self._result:
            notice(why, tone="warning")


def _show(one: PreviewSubscription, *, sent: bool) -> None:
    if not one.matched:
        html(f"<p>{chip('no match', 'warn')} {safe(one.why or 'The trigger does not hold for this event.')}</p>")
    else:
        html(f"<p>{chip('match', 'good')} The trigger holds for this event.</p>")
    for problem in one.problems:
        notice(problem, tone="error")
    if one.reason:
        notice(f"{one.reason}: {one.detail}", tone="error")
    if one.response is not None and sent:
        heading("Answer")
        html(response_html(one.response))
    if one.requests:
        heading("What would be sent" if not sent else "What was sent")
    for request in one.requests:
        html(request_html(request))
    if one.payload is not None:
        html(f"<details open><summary>What the mapping makes of it</summary>{pretty(one.payload)}</details>")
