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

    def insert(self, text: str) -> None:
        """Put a text where the cursor is, in place of what is selected."""
        self.client.run_javascript(_INSERT % (self.id, json.dumps(text)))
