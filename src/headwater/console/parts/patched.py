"""HTML that is brought up to date in place, for what refreshes itself while somebody reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Any, Self

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from headwater.console.parts.pieces import Html, attempt

_SCRIPT = Path(__file__).parents[1] / "assets" / "patched.js"


_PRESSED = """(event) => {
  const button = event.target.closest("[data-press]");
  if (button) emit([button.dataset.press, button.dataset.of]);
}"""


def press(text: str, verb: str, of: str, *, about: str = "") -> Html:
    """A small button for the content of `Patched`: pressing it says its verb and what it is of to `on_press`."""
    label = f' aria-label="{escape(about)}"' if about else ""
    return Html(
        f'<button type="button" class="small-action" data-press="{escape(verb)}" data-of="{escape(of)}"{label}>'
        f"{escape(text)}</button>"
    )


class Patched(Element, component=_SCRIPT):
    """Shows HTML of our own making. A new text changes only what differs: focus, selection and scroll places stay."""

    def __init__(self, content: Html | str = "") -> None:
        """What came from outside must be escaped in the content, as for `pieces.html`."""
        super().__init__()
        self._props["content"] = str(content)

    def show(self, content: Html | str) -> None:
        """Show this from now on. Nothing is sent to the browser when it is what stands there."""
        if self._props["content"] != content:
            self._props["content"] = str(content)
            self.update()

    def on_press(self, work: Callable[[str, str], Awaitable[Any]]) -> Self:
        """Do this when a button made by `press` is pressed. The browser says which; it must not be believed."""

        async def pressed(event: GenericEventArguments) -> None:
            match event.args:
                case [str(verb), str(of)]:
                    await attempt(work)(verb, of)
                case _:
                    return

        self.on("click", pressed, js_handler=_PRESSED)
        return self
