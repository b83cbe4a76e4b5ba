"""Style sheets of single areas, loaded only by the pages that need them."""

from __future__ import annotations

from nicegui import ui


def use_styles(name: str) -> None:
    """Load a style sheet of the folder `assets` with this page."""
    ui.add_head_html(f'<link rel="stylesheet" href="/console/assets/{name}">')
