"""The choices of a field that its destination itself knows: asked for on demand, and offered by their labels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.parts.figures import count
from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.pieces import html, safe
from headwater.manage.operations.destination_questions import ListFieldChoicesAnswer
from headwater.spec.errors import HeadwaterError

Ask = Callable[[str, str | None], Awaitable[ListFieldChoicesAnswer]]
"""From the path of a field, and which page is wanted, to its choices."""


class Choices:
    """A button that asks, and then a list to choose from: `chosen` gets the value. Nothing keeps one from typing it.

    `present` is the value of now, whose label the list shows.
    """

    def __init__(
        self, label: str, path: str, ask: Ask, chosen: Callable[[str], None], present: Callable[[], str]
    ) -> None:
        self._path = path
        self._ask = ask
        self._chosen = chosen
        self._present = present
        self._known: dict[str, str] = {}
        self._next: str | None = None
        self._silent = False
        with ui.element("div").classes("known-choices") as self._place:
            self._button = ui.button("Load choices", icon="download", on_click=self._load)
            self._button.props("flat dense no-caps")
            self._button.props["title"] = f"Ask the destination for the choices of {label}"
            self._list = ui.select({}, label="Choose", with_input=True, on_change=self._choose)
            self._list.props("outlined dense options-dense hide-bottom-space")
            self._list.props["aria-label"] = f"Choices of {label}"
            self._list.set_visibility(False)
            self._said = html("")

    def show(self, shown: bool) -> None:
        """Offer this, or not."""
        self._place.set_visibility(shown)

    def follow(self) -> None:
        """Show the label of the value of now, if it is one of the choices."""
        value = self._present()
        wanted = value if value in self._known else None
        if self._list.value != wanted:
            self._silent = True
            self._list.set_value(wanted)
            self._silent = False

    def _choose(self, event: ValueChangeEventArguments[Any]) -> None:
        if event.value is not None and not self._silent:
            self._chosen(str(event.value))

    async def _load(self) -> None:
        self._say("")
        self._button.props("loading")
        try:
            answer = await self._ask(self._path, self._next)
        except HeadwaterError as error:
            if not await leave_if_ended(error):
                self._say(str(error))
            return
        finally:
            self._button.props(remove="loading")
        self._show(answer)

    def _show(self, answer: ListFieldChoicesAnswer) -> None:
        if answer.error:
            self._say(answer.error)
            return
        found = {one.value: one.label for one in answer.choices}
        self._known = {**self._known, **found} if self._next else found
        self._next = answer.next_page
        self._list.set_options(dict(self._known), value=self._list.value if self._list.value in self._known else None)
        self.follow()
        self._list.set_visibility(bool(self._known))
        self._list.props["label"] = f"Choose of {count(len(self._known))}"
        self._button.set_text("Load more" if self._next else "Load again")
        if not self._known:
            self._say("The destination knows no choices.", tone="soft")

    def _say(self, text: str, *, tone: str = "bad") -> None:
        role = "alert" if tone == "bad" else "status"
        self._said.set_content(f'<p class="below {tone}" role="{role}">{safe(text)}</p>' if text else "")
