"""The question before a single act, put when it is wanted and gone when it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from headwater.console.parts.confirm import confirm
from headwater.console.parts.pieces import attempt


def ask_first(question: str, about: str, word: str, work: Callable[[], Awaitable[Any]]) -> None:
    """Ask at once, and do the work if the button named `word` is pressed; a refusal is told."""
    dialog = confirm(question, about, word, outlasting(work))
    dialog.on("hide", dialog.delete)
    dialog.open()


def outlasting(work: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """The work, refusals told, as done by the page: what it shows is shown also when its dialog is gone by then."""
    client = ui.context.client

    async def run() -> None:
        with client:
            await attempt(work)()

    return run
