"""What is known about one thing: names and values, one a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from headwater.console.parts.pieces import Html, safe


def facts(pairs: Iterable[tuple[str, object]], title: str) -> Html:
    """A card with a title, and names with their values (text or HTML)."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{safe(value)}</dd>" for name, value in pairs)
    return Html(f'<section class="card"><h2>{escape(title)}</h2><dl class="facts">{lines}</dl></section>')


def copied(text: str) -> Html:
    """A short text with a button that copies it."""
    button = f'<button type="button" class="small-action copy" data-copy="{escape(text)}" aria-label="Copy"></button>'
    return Html(f'<span class="copied-line"><code>{escape(text)}</code> {button}</span>')
