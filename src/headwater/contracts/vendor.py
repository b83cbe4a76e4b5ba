"""A vendor with OAuth, as a real double on the loopback interface: it grants, refreshes, ends and refuses tokens.

It is as strict as the strictest: a code is good once and only with its verifier and its address, each refresh gives a
new refresh token and spends the old one, and a spent one that comes again ends everything that came of it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

Form = dict[str, str]


class Vendor:
    """Open it with `async with`. `taken` are the bodies that its API took; `refreshes` counts refreshes that it gave.

    `denies` refuses whoever is asked to allow access; `away` is a status with which the token endpoint answers while it
    is not 0. A token endpoint holds its answers while `holding` is cleared.
    """

    client_id = "the-app"
    client_secret = "the app's secret"

    def __init__(self) -> None:
        self.denies = False
        self.away = 0
        self.refreshes = 0
        self.taken: list[bytes] = []
        self.asked: list[Form] = []
        self.holding = asyncio.Event()
        self.holding.set()
        self._codes: dict[str, tuple[str, str]] = {}
        self._good: set[str] = set()
        self._refresh_tokens: set[str] = set()
        self._spent: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Vendor:
        app = web.Application()
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/revoke", self._revoke)
        app.router.add_post("/api", self._api)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.holding.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self._port}{path}"

    def app(self) -> dict[str, Any]:
        """What an operator says of the app here."""
        return {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "authorizeUrl": self.url("/authorize"),
            "tokenUrl": self.url("/token"),
            "revokeUrl": self.url("/revoke"),
            "scopes": ["contacts.write"],
        }

    def end_access(self) -> None:
        """Access tokens end, as they do after an hour."""
        self._good.clear()

    def end_all(self) -> None:
        """Somebody takes everything back at the vendor's."""
        self._good.clear()
        self._refresh_tokens.clear()

    def hand_out(self) -> dict[str, str]:
        """Tokens without asking anybody, as a vendor's own pages give them."""
        return {"access_token": self._new(self._good), "refresh_token": self._new(self._refresh_tokens)}

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        back: Form = {"state": asked["state"]}
        if self.denies:
            back |= {"error": "access_denied", "error_description": "The owner said <no>."}
        else:
            back["code"] = secrets.token_urlsafe(8)
            self._codes[back["code"]] = (asked.get("code_challenge", ""), asked["redirect_uri"])
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        await self.holding.wait()
        if self.away:
            return web.json_response({"error": "server_error"}, status=self.away)
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _no("invalid_client", f"Not {form.get('client_secret')}.", 401)
        if form["grant_type"] == "client_credentials":
            return self._granted(refresh=False)
        if form["grant_type"] == "authorization_code":
            return self._exchanged(form)
        return self._refreshed(form.get("refresh_token", ""))

    def _exchanged(self, form: Form) -> web.Response:
        expected, address = self._codes.pop(form["code"], ("", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        given = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not expected or given != expected or form.get("redirect_uri") != address:
            return _no("invalid_grant", "The code is spent, or not yours.")
        return self._granted()

    def _refreshed(self, token: str) -> web.Response:
        if token in self._spent:
            self.end_all()
        if token not in self._refresh_tokens:
            return _no("invalid_grant", f"{token} was taken back.")
        self._refresh_tokens.discard(token)
        self._spent.add(token)
        self.refreshes += 1
        return self._granted()

    def _granted(self, *, refresh: bool = True) -> web.Response:
        answer: dict[str, Any] = {"access_token": self._new(self._good), "token_type": "bearer", "expires_in": 3600}
        if refresh:
            answer["refresh_token"] = self._new(self._refresh_tokens)
        return web.json_response(answer)

    async def _revoke(self, request: web.Request) -> web.Response:
        self.end_all()
        return web.Response()

    async def _api(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._good:
            return web.json_response({"message": "The token has ended."}, status=401)
        self.taken.append(await request.read())
        return web.json_response({})

    def _new(self, kept: set[str]) -> str:
        token = secrets.token_urlsafe(16)
        kept.add(token)
        return token


def _no(error: str, described: str, status: int = 400) -> web.Response:
    return web.json_response({"error": error, "error_description": described}, status=status)
