"""The mark in the head of every page: how many problems there are, in the colour of the worst.

What one page has learnt serves the others for some seconds, so that many open pages ask no more than one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Final

import msgspec
from nicegui import ui

from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html
from headwater.console.parts.polling import poll
from headwater.console.person import Person
from headwater.manage.operations.overview import GetOverview, ProblemShape, get_overview
from headwater.manage.operations.sessions import GetSession, get_session

_SECONDS: Final = 10.0
_FRESH: Final = 0.9 * _SECONDS
_ASKED_MINUTES: Final = 5


class _Seen(msgspec.Struct):
    """What is known: the problems, and when (seconds of the monotonic clock) they were asked for."""

    problems: Sequence[ProblemShape] = ()
    at: float = float("-inf")


_seen = _Seen()
_asking = asyncio.Lock()


def note(problems: Sequence[ProblemShape]) -> None:
    """Keep what a page has just asked for."""
    _seen.problems, _seen.at = problems, time.monotonic()


def attention(person: Person) -> None:
    """Place the mark. It costs the page nothing: what is known is shown, and asked for anew once the page is there.

    Every page, also of those who may not see the mark, learns so that the session has ended.
    """
    if not person.may("ledger:read"):
        _once_there(partial(poll, _SECONDS, partial(person.ask, get_session, GetSession())))
        return
    shown = Patched(mark(_seen.problems))

    async def look() -> None:
        await person.ask(get_session, GetSession())
        async with _asking:
            if time.monotonic() - _seen.at > _FRESH:
                note((await person.ask(get_overview, GetOverview(span=_ASKED_MINUTES))).problems)
        shown.show(mark(_seen.problems))

    _once_there(partial(poll, _SECONDS, look, first=0.3))


def _once_there(work: Callable[[], object]) -> None:
    """Do this when the browser is there. A timer that is made before sends the page off without its content."""
    client = ui.context.client
    begun = False

    def begin() -> None:
        nonlocal begun
        if not begun:
            begun = True
            work()

    client.on_connect(begin)


def mark(problems: Sequence[ProblemShape]) -> Html:
    """A dot with the number of problems, which leads to them; nothing when there is none."""
    if not problems:
        return Html("")
    tone = "bad" if any(one.severity == "error" for one in problems) else "warn"
    words = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    what = "\n".join(one.what for one in problems[:5])
    return Html(
        f'<a href="/console/" class="attention {tone}" title="{escape(what)}" aria-label="{words}">'
        f"<i></i>{len(problems)}</a>"
    )
