"""What surrounds every page: its address, the menu, the theme, and what is shown when a page cannot be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from html import escape
from inspect import Parameter, signature
from typing import Any

import msgspec
from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headwater.console.guard import SIGN_IN
from headwater.console.parts.attention import attention
from headwater.console.person import Person
from headwater.manage.problems import explain
from headwater.spec.errors import SenderError

log = logging.getLogger("headwater.console")
Build = Callable[..., Awaitable[None]]


class Entry(msgspec.Struct, frozen=True):
    """A place in the menu: a Material icon's name, the order, and the key that leads there after `g`."""

    icon: str
    order: int
    key: str = ""


class _Place(msgspec.Struct, frozen=True):
    path: str
    title: str
    scope: str
    entry: Entry


_menu: list[_Place] = []


def page(path: str, *, title: str, scope: str, menu: Entry | None = None) -> Callable[[Build], Build]:
    """Declare a page below /console. Its function gets the person, and the fields of the path by name.

    `scope` is what the page asks for most; who may not do that finds no entry in the menu.
    """
    if menu is not None:
        _menu.append(_Place(path, title, scope, menu))
        _menu.sort(key=lambda place: place.entry.order)

    def declare(build: Build) -> Build:
        @wraps(build)
        async def whole(request: Request, **fields: Any) -> Response | None:
            person: Person = request.scope["person"]
            _surround(person, path, title)
            try:
                await build(person, **fields)
            except SenderError as error:
                if error.status == 401 and person.may(scope):
                    return RedirectResponse(SIGN_IN, status_code=303)
                _instead(error)
            except Exception as error:
                log.exception("the page %s failed", path)
                _instead(error)
            return None

        names = [name for name in signature(build).parameters if name != "person"]
        kept = [parameter for name, parameter in signature(build).parameters.items() if name in names]
        first = Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
        whole.__signature__ = signature(whole).replace(parameters=[first, *kept])  # type: ignore[attr-defined]
        whole.__annotations__ = {"request": Request, **{one.name: one.annotation for one in kept}}
        ui.page(path, title=f"{title} · Headwater", dark=None, response_timeout=20.0)(whole)
        return build

    return declare


def _surround(person: Person, path: str, title: str) -> None:
    ui.add_head_html(
        '<link rel="stylesheet" href="/console/assets/console.css"><script src="/console/assets/console.js"></script>'
    )
    ui.colors(primary="var(--accent)", secondary="var(--soft)", accent="var(--accent)")
    with ui.header(elevated=False).classes("top"):
        ui.html(
            '<button class="plain only-narrow" data-menu-toggle aria-label="Menu">☰</button>'
            '<a class="brand" href="/console/"><img src="/console/assets/mark.svg" alt="" width="22" height="22">'
            "Headwater</a>",
            sanitize=False,
        ).classes("corner")
        ui.element("div").classes("grow")
        attention(person)
        ui.html(
            '<button class="plain" data-theme-toggle title="Light or dark" aria-label="Light or dark">◐</button>'
            '<form method="post" action="/console/sign-out"><button class="plain" '
            f'title="Signed in as {escape(person.name)}">Sign out</button></form>',
            sanitize=False,
        ).classes("corner")
    around = [place.path for place in _menu if path == place.path or path.startswith(f"{place.path}/")]
    here = max(around, key=len, default="")
    entries = "".join(_entry(place, here=place.path == here) for place in _menu if person.may(place.scope))
    ui.html(f'<nav class="menu" aria-label="Menu">{entries}</nav>', sanitize=False).classes("beside")
    ui.html(f"<h1>{escape(title)}</h1>", sanitize=False).classes("title")


def _entry(place: _Place, *, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    return (
        f'<a href="/console{place.path}" data-key="{escape(place.entry.key)}"{current}>'
        f'<i class="q-icon material-icons" aria-hidden="true">{escape(place.entry.icon)}</i>{escape(place.title)}</a>'
    )


def _instead(error: Exception) -> None:
    """What is shown when a page cannot be: what is wrong, in the words that the operation uses."""
    _, problems, _ = explain(error)
    with ui.element("div").classes("notice error").props("role=alert"):
        for problem in problems:
            ui.label(problem.message)
