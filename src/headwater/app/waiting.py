"""Waiting for the engines behind the house: PostgreSQL and Kafka may come up after a role does.

What is away is waited for, and a line of the log says what; what is set wrongly is an error at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from headwater.app.house import House, check_log, open_house, prepare
from headwater.app.shapes import FirstStart
from headwater.spec.errors import HeadwaterError, SetupError, Unavailable
from headwater.spec.settings import Settings

_log = logging.getLogger("headwater")
_LONGEST_WAIT = 5.0
_KNOCK_SECONDS = 8.0
_SHORT_SECONDS = 2.0
"""A collector with a spill is not to be kept from its work by what it can do without."""

_SAID_EVERY_SECONDS = 30.0

T = TypeVar("T")

_FOR_NOW = (
    "starting up",
    "shutting down",
    "recovery mode",
    "too many clients",
    "connection slots",
    "not yet accepting",
)
_REFUSALS = ("FATAL", "no password supplied", "does not support SSL", "certificate")


def prepared(settings: Settings) -> FirstStart | None:
    """Prepare the house once.

    Raises Unavailable when its store is away, SetupError when it refuses us or there is no log of that URL.
    """
    check_log(settings)
    return understood(lambda: prepare(settings))


async def prepare_patiently(settings: Settings, stopping: asyncio.Event) -> FirstStart | None:
    """Prepare the house, and wait for its store while that is away, unless told to stop.

    Raises SetupError for a wrong setting.
    """
    return await _patiently(settings, stopping, lambda: asyncio.to_thread(prepared, settings))


async def enter_patiently(stack: AsyncExitStack, settings: Settings, stopping: asyncio.Event) -> House | None:
    """Open the house, and wait for what it needs while that is away. None when told to stop meanwhile.

    Raises SetupError when Kafka refuses us.
    """
    return await _patiently(settings, stopping, lambda: stack.enter_async_context(open_house(settings)))


async def knock_patiently(settings: Settings, stopping: asyncio.Event, *, needed: bool) -> None:
    """Wait for Kafka, where the log is there, or only try once unless it is `needed`. Raises SetupError if it refuses.

    A collector keeps on its own disk what comes while Kafka is away.
    """
    if not settings.log.url.startswith("kafka:"):
        return
    from headwater.eventlog.kafka.examining import knock
    from headwater.eventlog.kafka.reach import reach

    log = settings.log

    async def ask() -> None:
        try:
            seconds = _KNOCK_SECONDS if needed else _SHORT_SECONDS
            await asyncio.to_thread(knock, reach(log.url, log.kafka, log.instance), seconds)
        except Unavailable as error:
            if needed:
                raise
            _log.warning("%s; what comes is kept on this disk meanwhile.", error)

    await _patiently(settings, stopping, ask)


async def _patiently(
    settings: Settings, stopping: asyncio.Event, work: Callable[[], Coroutine[Any, Any, T]]
) -> T | None:
    waiting = Waiting(settings)
    while not stopping.is_set():
        try:
            return await work()
        except Unavailable as error:
            seconds = waiting.seconds(error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)
    return None


class Waiting:
    """How long to wait before each try, ever longer, and what is said meanwhile: what is new, or now and then."""

    def __init__(self, settings: Settings) -> None:
        self._embedded = not settings.store.url and not settings.log.url
        self._wait = 0.5
        self._said = ""
        self._said_at = 0.0

    def seconds(self, error: Unavailable) -> float:
        """How long to wait now. Raises the error where there is no engine to wait for."""
        if self._embedded:
            raise error
        if str(error) != self._said or time.monotonic() - self._said_at > _SAID_EVERY_SECONDS:
            self._said, self._said_at = str(error), time.monotonic()
            _log.warning("Waiting: %s", error)
        wait = self._wait
        self._wait = min(2 * wait, _LONGEST_WAIT)
        return wait


def place_of(url: str) -> str:
    """Where an engine is, without the name and password in the URL."""
    parts = urlsplit(url)
    return f"{parts.scheme.partition('+')[0]}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def understood(work: Callable[[], T]) -> T:
    """Do something with the store. Raises Unavailable when it is away, SetupError when it refuses us."""
    try:
        return work()
    except DBAPIError as error:
        raise _explained(error) from error
    except Unavailable as error:
        if isinstance(error.__cause__, DBAPIError):
            raise _explained(error.__cause__) from error
        raise


def _explained(error: DBAPIError) -> HeadwaterError:
    """What a database that does not let us in means: time heals it, or the owner must change a setting."""
    said = str(error.orig).strip().splitlines()
    line = next((one for one in said if any(word in one for word in _REFUSALS)), said[0] if said else "no reason given")
    refused = any(word in line for word in _REFUSALS) and not any(word in line for word in _FOR_NOW)
    if refused:
        return SetupError(f"The store refuses us: {line.strip()}. Correct store.url (--store or HEADWATER_STORE).")
    return Unavailable(f"the store does not answer yet: {line.strip()}")
