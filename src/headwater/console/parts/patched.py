"""HTML that is brought up to date in place, for what refreshes itself while somebody reads it."""

from __future__ import annotations

from pathlib import Path

from nicegui.element import Element

from headwater.console.parts.pieces import Html

_SCRIPT = Path(__file__).parents[1] / "assets" / "patched.js"


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
