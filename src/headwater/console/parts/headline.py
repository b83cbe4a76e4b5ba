"""The head of a page about one thing: its name in the title, where it stands, and the parts that it has."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nicegui import ui

from headwater.console.parts.pieces import Html, html, safe
from headwater.console.parts.stylesheet import use_styles


def headline(name: str, *, above: tuple[str, str], beside: Sequence[Html] = ()) -> None:
    """Give the page the name of what it shows. `above` is the list that it stands in: its title and path."""
    use_styles("headline.css")
    ui.page_title(f"{name} · Headwater")
    title, path = above
    inner = (
        f'<nav class="trail" aria-label="Where this is"><a href="/console{escape(path)}">{escape(title)}</a></nav>'
        f"<h1>{escape(name)} {' '.join(safe(one) for one in beside)}</h1>"
    )
    for element in ui.context.client.elements.values():
        if isinstance(element, ui.html) and "title" in element.classes:
            element.set_content(inner)
            return
    html(inner).classes("title")


def sections(parts: Sequence[tuple[str, str]], here: str) -> ui.html:
    """Links to the parts of what the page is about: title and path of each; `here` is the path of this one."""
    links = "".join(
        f'<a href="/console{escape(path)}"{current(path == here)}>{escape(title)}</a>' for title, path in parts
    )
    return html(f'<nav class="sections" aria-label="Parts">{links}</nav>')


def current(is_here: bool) -> str:
    """The attribute of a link to where one is already."""
    return ' aria-current="page"' if is_here else ""
