"""The small parts of pages: tiles, notices, chips, tables, lines to copy, and what is shown where there is nothing."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import wraps
from html import escape
from typing import Any, Final, Literal

from nicegui import ui

from headwater.console.parts.leaving import leave_if_ended
from headwater.manage.problems import explain
from headwater.spec.errors import HeadwaterError
from headwater.spec.wire import JSON

log = logging.getLogger("headwater.console")
_MARKED: Final = (
    (re.compile(r"\[([^\[\]]+)\]\((https?://[^\s()]+)\)"), r'<a href="\2" target="_blank" rel="noopener">\1</a>'),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
)
"""What descriptions in catalogues mark in Markdown: links, what is strong, and code."""
Tone = Literal["", "good", "warn", "bad", "accent"]


class Html(str):
    """Text that is HTML already. Everything else is escaped where it is shown."""


def safe(value: object) -> str:
    """A value as HTML."""
    return value if isinstance(value, Html) else escape(str(value))


def chip(text: str, tone: Tone = "") -> Html:
    """A word with a colour."""
    return Html(f'<span class="chip {tone}">{escape(text)}</span>')


def link(text: str, path: str) -> Html:
    """A link to a page of the console; `path` begins with a slash."""
    return Html(f'<a href="/console{escape(path)}">{escape(text)}</a>')


def described(text: str) -> Html:
    """What a destination says of itself or of a field, with the little of Markdown that is used there."""
    shown = escape(text)
    for marked, becomes in _MARKED:
        shown = marked.sub(becomes, shown)
    return Html(shown)


def html(content: str) -> ui.html:
    """HTML of our own making; what came from outside must be escaped in it."""
    return ui.html(content, sanitize=False)


def heading(text: str) -> ui.html:
    """A heading inside a page."""
    return html(f"<h2>{escape(text)}</h2>")


def tiles(figures: Iterable[tuple[str, object, str]]) -> ui.html:
    """Large figures side by side: what it is, the figure, and a class of tone (may be empty)."""
    parts = [
        f'<div class="tile"><span>{safe(what)}</span><b class="{tone}">{safe(figure)}</b></div>'
        for what, figure, tone in figures
    ]
    return html(f'<div class="tiles">{"".join(parts)}</div>')


def notice(text: str, *, todo: str = "", tone: Literal["", "warning", "error"] = "") -> ui.html:
    """Something to know, and what to do about it."""
    more = f'<div class="soft">{escape(todo)}</div>' if todo else ""
    return html(f'<div class="notice {tone}" role="{"alert" if tone else "status"}">{escape(text)}{more}</div>')


def copyable(text: str) -> Html:
    """A block of code with a button that copies it."""
    button = '<button type="button" data-copy aria-label="Copy"></button>'
    return Html(f'<div class="copyable"><pre>{escape(text)}</pre>{button}</div>')


def empty(what: str, todo: str, line: str = "") -> ui.html:
    """Where there is nothing yet: what is missing, what to do next, and a line to copy."""
    return html(f'<div class="empty"><b>{escape(what)}</b>{escape(todo)}{copyable(line) if line else ""}</div>')


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = (), label: str = ""
) -> ui.html:
    """A plain table. Cells are text or `Html`; `right` are the columns of numbers."""
    return html(table_html(heads, rows, right=right, label=label))


def table_html(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = (), label: str = ""
) -> Html:
    """The HTML of a plain table, to set the content of one that stands."""
    side = [' class="right"' if index in right else "" for index in range(len(heads))]
    head = "".join(f"<th{side[index]}>{escape(text)}</th>" for index, text in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{side[index]}>{safe(cell)}</td>" for index, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    named = f' aria-label="{escape(label)}"' if label else ""
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return Html(f'<div class="wide"><table class="plain"{named}>{inside}</table></div>')


def pretty(value: JSON) -> Html:
    """JSON to be read."""
    return Html(f'<pre class="json">{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>')


async def loading(height: int, build: Callable[[], Awaitable[None]]) -> None:
    """Keep a place of `height` pixels until its content is there: for what takes longer than a page may."""
    place = ui.element("div").classes("loading")
    with place:
        html(f'<div class="skeleton" style="height:{height}px" aria-busy="true"></div>')
    await ui.context.client.connected()
    with place:
        try:
            inner = ui.element("div")
            with inner:
                await build()
        except Exception as error:
            say(error)
        finally:
            place.remove(0)


def say(error: Exception) -> None:
    """Tell the person at once what is wrong with what they did; what is a bug of ours goes to the log."""
    _, problems, _ = explain(error)
    if not isinstance(error, HeadwaterError):
        log.error("a page failed", exc_info=error)
    ui.notify(
        "\n".join(problem.message for problem in problems), type="negative", multi_line=True, close_button="Close"
    )


def attempt(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A handler of a click, whose refusals are told to the person and do not end the page."""

    @wraps(work)
    async def run(*arguments: Any) -> Any:
        try:
            return await work(*arguments)
        except Exception as error:
            if not await leave_if_ended(error):
                say(error)
            return None

    return run
