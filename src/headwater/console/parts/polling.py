"""Pages that keep themselves up to date, while somebody looks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.pieces import say

log = logging.getLogger("headwater.console")


def poll(seconds: float, work: Callable[[], Awaitable[object]], *, first: float | None = None) -> ui.timer:
    """Do this every so many seconds from now on, but not while the browser's tab is hidden or gone.

    `first` is how many seconds after the page is there it is done the first time, if that shall be sooner.
    The first refusal in a row is told to the person; when their session has ended they are led to sign in again.
    """
    failing = False

    async def once() -> None:
        nonlocal failing
        try:
            await work()
            failing = False
        except Exception as error:
            if await leave_if_ended(error):
                timer.cancel()
            elif not failing:
                failing = True
                log.warning("a page could not bring itself up to date: %r", error)
                say(error)

    async def shown(event: GenericEventArguments) -> None:
        looked_at = bool(event.args)
        returned = looked_at and not timer.active
        timer.active = looked_at
        if returned:
            await once()

    timer = ui.timer(seconds, once, immediate=False)
    if first is not None:
        ui.timer(first, once, once=True)
    ui.on("shown", shown)
    return timer
