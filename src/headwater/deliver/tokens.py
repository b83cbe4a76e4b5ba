"""The open tokens of destinations that are authorised with OAuth, and their refreshing (contract: connections 6.14).

Vendors give a new refresh token for each refresh and forget the old one, so two refreshes at once lose both. Therefore
one at a time refreshes for a destination: within this process by a lock, among processes by a claim in the store that
ends by itself when its holder does. Whoever waited finds the tokens that the other one got, and uses these.

A refusal by the vendor pauses the destination with its backlog kept, and says what to do. What may pass (no answer, a
status of 5xx) refuses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headwater.deliver.oauth import Granted, read_tokens, refresh_request
from headwater.spec.destination import Exchange, NoAnswer
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.oauth import OAuthApp, merge
from headwater.spec.vendors import known
from headwater.store import authorizations, leases, oauth_apps
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.spec.workspace import Destination
    from headwater.store import Store
    from headwater.store.authorizations import Authorization
    from headwater.store.secrets import Secrets

AGAIN = "Authorise the destination again; its backlog is kept and flows then."
"""What to do about refused tokens, as every refusal says."""

_LEASE_SECONDS = 60.0
"""Longer than any refresh takes; so long the others wait when its process dies."""

_LOOK_SECONDS = 0.1
_REMEMBERED_SECONDS = 30.0
"""So long an app that was changed may still be asked in its old form."""

_SOON_MS = 60_000
T = TypeVar("T")
OpenTokens = dict[str, str]
"""`access_token`, `refresh_token`, and the app's `clientId` and `clientSecret`: those that there are."""

Refresh = Callable[[OpenTokens], Awaitable[OpenTokens]]
"""How a destination refreshes in its own way. Raises NoAnswer."""


class _Held(msgspec.Struct, frozen=True):
    """Tokens in the clear as of a version; `read_at` is an instant of the monotonic clock."""

    version: int
    tokens: OpenTokens
    expires_at: int
    app: OAuthApp
    read_at: float


class Tokens:
    """The tokens of all destinations of this process. `lease_seconds` is how long a refresh may take."""

    def __init__(
        self, store: Store, secrets: Secrets, exchange: Exchange, *, lease_seconds: float = _LEASE_SECONDS
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._exchange = exchange
        self._lease_ms = int(lease_seconds * 1000)
        self._holder = new_id()
        self._known: dict[str, _Held] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._since: dict[str, int] = {}
        self._saving: dict[str, asyncio.Future[None]] = {}

    async def current(self, destination: Destination) -> OpenTokens:
        """The tokens as they stand, read when the destination has been authorised anew; empty when there are none.

        Raises SetupError when they cannot be opened.
        """
        held = self._known.get(destination.id)
        stale = held is None or time.monotonic() - held.read_at > _REMEMBERED_SECONDS
        if held is None or stale or held.version < destination.tokens_version:
            held = await self._read(destination.id)
        return held.tokens

    async def fresh(self, destination: Destination) -> OpenTokens:
        """The same, refreshed first if the access token is about to end. Raises NoAnswer as `renew` does."""
        tokens = await self.current(destination)
        ends = self._known[destination.id].expires_at
        if tokens.get("access_token") and (not ends or ends > _now_ms() + _SOON_MS):
            return tokens
        return await self.renew(destination.id, tokens.get("access_token", ""))

    @asynccontextmanager
    async def locked(self, destination_id: str) -> AsyncGenerator[OpenTokens]:
        """Take the destination's turn to refresh; what it gives are the tokens as they stand then.

        Waits for whoever has the turn, in this process or another. `save` keeps what the refresh got.
        """
        async with self._locks.setdefault(destination_id, asyncio.Lock()):
            await self._claim(destination_id)
            try:
                held = await self._read(destination_id)
                self._since[destination_id] = held.version
                yield held.tokens
            finally:
                with suppress(Unavailable):  # then the claim ends by itself
                    if (saving := self._saving.pop(destination_id, None)) is not None:
                        await saving
                    await self._store.write(partial(self._release, destination_id=destination_id))
                self._since.pop(destination_id, None)

    async def save(self, destination_id: str, new: OpenTokens, *, expires_at: int = 0) -> None:
        """Keep what a refresh got: `access_token`, and `refresh_token` if it changed. Within `locked`, nothing is
        kept when somebody authorised the destination anew meanwhile.

        The vendor has forgotten the old tokens, so a store that is away is waited for as long as the turn lasts, and
        they are kept although nobody awaits it any more.
        """
        saving = self._saving[destination_id] = asyncio.ensure_future(self._keep(destination_id, new, expires_at))
        await asyncio.shield(saving)

    async def _keep(self, destination_id: str, new: OpenTokens, expires_at: int) -> None:
        held = self._known.get(destination_id) or await self._read(destination_id)
        names = ("access_token", "refresh_token")
        tokens = {name: text for name in names if (text := new.get(name) or held.tokens.get(name))}
        sealed = {name: self._secrets.seal(text) for name, text in tokens.items()}
        version = await self._patiently(
            partial(
                authorizations.keep,
                destination_id=destination_id,
                tokens=sealed,
                expires_at=expires_at,
                since=self._since.get(destination_id),
            )
        )
        if version is not None:
            self._known[destination_id] = _Held(version, held.tokens | tokens, expires_at, held.app, held.read_at)
            if destination_id in self._since:
                self._since[destination_id] = version

    async def refuse(self, destination_id: str, detail: str) -> None:
        """Note that the vendor refuses the tokens that this process knows: the destination is paused, its backlog kept.

        Nothing is noted when somebody has authorised it anew meanwhile.
        """
        held = self._known.get(destination_id)
        known = None if held is None else held.version
        await self._store.write(
            partial(
                authorizations.refuse,
                destination_id=destination_id,
                detail=f"{detail} {AGAIN}",
                since=self._since.get(destination_id, known),
            )
        )

    async def renew(self, destination_id: str, used: str, refresh: Refresh | None = None) -> OpenTokens:
        """Tokens other than the access token `used`: those that somebody got meanwhile, or by refreshing.

        `refresh` is how, if not by OAuth's own grant. Raises NoAnswer: UNAUTHORIZED when the vendor refuses, which
        pauses the destination; UNREACHABLE or TIMEOUT when a later try may succeed.
        """
        async with self.locked(destination_id) as tokens:
            if tokens.get("access_token", "") != used:
                return tokens
            try:
                if refresh is not None:
                    granted = Granted(await refresh(tokens))
                else:
                    granted = await self._refreshed(self._known[destination_id].app, tokens)
            except NoAnswer as error:
                if error.reason == "UNAUTHORIZED":
                    await self.refuse(destination_id, error.detail)
                    raise NoAnswer("UNAUTHORIZED", f"{error.detail} {AGAIN}") from error
                raise
            await self.save(destination_id, granted.tokens, expires_at=granted.expires_at)
            return tokens | granted.tokens

    async def _refreshed(self, app: OAuthApp, tokens: OpenTokens) -> Granted:
        refresh_token = tokens.get("refresh_token", "")
        if not refresh_token and app.authorize_url:
            raise NoAnswer("UNAUTHORIZED", "The vendor gave no refresh token.")
        if not app.token_url or not app.client_id:
            raise NoAnswer("UNAUTHORIZED", "No app is set up at the vendor, so that nothing can be refreshed.")
        request = refresh_request(app, refresh_token)
        return read_tokens(app, request, await self._exchange(request), _now_ms())

    async def _patiently(self, write: Callable[[Connection], T]) -> T:
        until = time.monotonic() + self._lease_ms / 1000
        while True:
            try:
                return await self._store.write(write)
            except Unavailable as error:
                if time.monotonic() + error.retry_after > until:
                    raise
                await asyncio.sleep(error.retry_after)

    async def _claim(self, destination_id: str) -> None:
        claim = partial(_claimed, destination_id=destination_id, holder=self._holder, lease_ms=self._lease_ms)
        while not await self._store.write(claim):  # noqa: ASYNC110 - another process may have the turn
            await asyncio.sleep(_LOOK_SECONDS)

    def _release(self, connection: Connection, destination_id: str) -> None:
        authorizations.release(connection, destination_id, self._holder)

    async def _read(self, destination_id: str) -> _Held:
        found, own = await self._store.read(partial(_stored, destination_id=destination_id))
        held = self._known[destination_id] = self._opened(found, own)
        return held

    def _opened(self, found: Authorization, own: tuple[str, dict[str, Any]]) -> _Held:
        definition, settings = own
        try:
            app = merge(known(definition), settings)
        except msgspec.ValidationError as error:
            raise SetupError(f"The app of {definition} cannot be read: {error}") from error
        app = msgspec.structs.replace(app, client_secret=self._secrets.open(app.client_secret))
        tokens = {name: self._secrets.open(text) for name, text in found.tokens.items()}
        mine = {"clientId": app.client_id, "clientSecret": app.client_secret}
        tokens |= {name: text for name, text in mine.items() if text}
        return _Held(found.version, tokens, found.expires_at, app, time.monotonic())


def _claimed(connection: Connection, *, destination_id: str, holder: str, lease_ms: int) -> bool:
    if authorizations.claim(connection, destination_id, holder, at=leases.clock(connection), lease_ms=lease_ms):
        return True
    if authorizations.find(connection, destination_id) is None:
        raise SetupError("The destination was removed.")
    return False


def _stored(connection: Connection, destination_id: str) -> tuple[Authorization, tuple[str, dict[str, Any]]]:
    found = authorizations.find(connection, destination_id)
    definition = authorizations.definition_of(connection, destination_id)
    if found is None or definition is None:
        raise SetupError("The destination was removed.")
    return found, (definition, oauth_apps.find(connection, definition) or {})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
