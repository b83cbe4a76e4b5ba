"""What is needed to try a destination: a way out, the catalogue's worker and open connections, kept for a while.

They are opened by the first trial that needs them and closed a minute after the last, so a house in which nothing is
tried has no worker for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from headwater.catalogue import Workers
    from headwater.deliver.performing import Perform
    from headwater.deliver.tokens import Tokens
    from headwater.deliver.writers import Writers
    from headwater.manage.desk import Desk
    from headwater.spec.destination import Exchange
    from headwater.spec.settings import Settings
    from headwater.store.database import Store
    from headwater.store.secrets import Secrets

KEPT_SECONDS: Final = 60.0


class Open(msgspec.Struct, frozen=True):
    """The ports of a trial: the way out, who performs what is no generator of requests, the workers and writers behind
    that, and the tokens.
    """

    exchange: Exchange
    perform: Perform
    workers: Workers
    writers: Writers
    tokens: Tokens


class Trials:
    """Opens what trials need. Close it when the role ends."""

    def __init__(
        self, settings: Settings, store: Store, secrets: Secrets, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is what the catalogue's destinations may see of ours."""
        self._settings = settings
        self._store = store
        self._secrets = secrets
        self._environment = environment or {}
        self._lock = asyncio.Lock()
        self._stack: AsyncExitStack | None = None
        self._open: Open | None = None
        self._users = 0
        self._closing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def ports(self) -> AsyncGenerator[Open]:
        """The ports, for as long as the trial lasts."""
        self._users += 1
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        try:
            yield await self._ready()
        finally:
            self._users -= 1
            if self._users == 0:
                self._closing = asyncio.create_task(self._close_later(), name="trials")

    async def close(self) -> None:
        """Close what is open."""
        if self._closing is not None:
            self._closing.cancel()
        async with self._lock:
            stack, self._stack, self._open = self._stack, None, None
            if stack is not None:
                await stack.aclose()

    async def _close_later(self) -> None:
        await asyncio.sleep(KEPT_SECONDS)
        if self._users == 0:
            self._closing = None
            await self.close()

    async def _ready(self) -> Open:
        async with self._lock:
            if self._open is None:
                stack = AsyncExitStack()
                self._open = await self._opened(stack)
                self._stack = stack
            return self._open

    async def _opened(self, stack: AsyncExitStack) -> Open:
        from headwater.catalogue import Workers
        from headwater.deliver.performing import performing
        from headwater.deliver.tokens import Tokens
        from headwater.deliver.transport import Transport
        from headwater.deliver.writers import Writers, address_guard

        allowed = self._settings.deliver.allowed_addresses
        transport = await stack.enter_async_context(Transport(allowed))
        workers = await stack.enter_async_context(Workers(self._settings.catalogue, environment=self._environment))
        writers = await stack.enter_async_context(Writers(address_guard(allowed)))
        tokens = Tokens(self._store, self._secrets, transport.exchange)
        return Open(transport.exchange, performing(workers, writers, tokens), workers, writers, tokens)


@asynccontextmanager
async def ports(desk: Desk) -> AsyncGenerator[Open]:
    """The ports of the house's trials; a desk that has none of its own opens them for this once."""
    trials = desk.trials or Trials(desk.settings, desk.store, desk.secrets)
    try:
        async with trials.ports() as opened:
            yield opened
    finally:
        if desk.trials is None:
            await trials.close()
