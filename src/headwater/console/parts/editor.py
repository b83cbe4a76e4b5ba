"""A code editor in the colours of the page, light or dark."""

from __future__ import annotations

import json
from typing import Literal

from nicegui import ui

_FOLLOW = """
(() => {
  const paint = () => {
    const editor = getElement(%d);
    if (editor) editor.setTheme(document.documentElement.dataset.theme === "dark" ? "githubDark" : "githubLight");
  };
  paint();
  new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
})();
"""
_INSERT = """
(() => {
  const editor = getElement(%d).editor;
  editor.dispatch(editor.state.replaceSelection(%s));
  editor.focus();
})();
"""


class Editor(ui.codemirror):
    """An editor of so many pixels; `label` names it for those who cannot see it."""

    def __init__(self, value: str, *, language: Literal["SQL", "JSON"], height: int, label: str) -> None:
        super().__init__(value, language=language, theme="githubLight", indent="  ", line_wrapping=True)
        self.classes("editor").style(f"height:{height}px")
        self.props["aria-label"] = label
        self.props["role"] = "group"
        ui.context.client.on_connect(lambda: self.client.run_javascript(_FOLLOW % self.id))

    def point_at(self, place: tuple[int, int] | None) -> None:
        """Underline what stands at a line and column (from 1), or nothing."""
        lines = (self.value or "").split("\n")
        if place is None or not 1 <= place[0] <= len(lines) or not lines[place[0] - 1]:
            self.decorations = []
            return
        before = sum(len(line) + 1 for line in lines[: place[0] - 1])
        start = min(place[1] - 1, len(lines[place[0] - 1]) - 1)
        word = len(lines[place[0] - 1][start:].split(" ")[0]) or 1
        span = {"kind": "mark", "from": before + start, "to": before + start + word, "class": "wrong-here"}
        self.decorations = [span]

    def insert(self, text: str) -> None:
        """Put a text where the cursor is, in place of what is selected."""
        self.client.run_javascript(_INSERT % (self.id, json.dumps(text)))
