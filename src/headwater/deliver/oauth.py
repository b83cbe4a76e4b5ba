"""What is asked of a vendor's token endpoint, and what its answer means (RFC 6749, 7636, 7009). Pure."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from headwater.deliver.redact import cut, forms, redact
from headwater.spec.destination import NoAnswer, Request, Response
from headwater.spec.oauth import OAuthApp

_TIMEOUT = 20.0
_SAID_BYTES = 300
_LATER = frozenset({408, 423, 429})
_OUR_FAULT = {
    "invalid_grant": "The vendor no longer accepts this authorization.",
    "invalid_client": "The vendor does not know the app, or its secret is wrong.",
    "unauthorized_client": "The app may not ask for tokens in this way.",
    "access_denied": "Whoever was asked did not allow it.",
}


class Granted(msgspec.Struct, frozen=True):
    """Tokens in the clear, and when the access token ends (milliseconds since 1970), 0 when nobody says.

    `learned` are settings of the destination that came along.
    """

    tokens: dict[str, str]
    expires_at: int = 0
    learned: dict[str, str] = {}


def authorize_address(app: OAuthApp, *, state: str, redirect_url: str, verifier: str) -> str:
    """Where the browser is sent, so that whoever may grants access."""
    given = {"response_type": "code", "client_id": app.client_id, "redirect_uri": redirect_url, "state": state}
    if app.scopes:
        given["scope"] = app.separator.join(app.scopes)
    if app.pkce:
        given |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
    query = urlencode({app.names.get(name, name): value for name, value in {**app.parameters, **given}.items()})
    return f"{app.authorize_url}{'&' if urlsplit(app.authorize_url).query else '?'}{query}"


def challenge(verifier: str) -> str:
    """The code challenge of a verifier, by the method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def code_request(app: OAuthApp, *, code: str, redirect_url: str, verifier: str) -> Request:
    """Tokens for the code that came back."""
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_url}
    return _request(app, given | ({"code_verifier": verifier} if app.pkce else {}))


def refresh_request(app: OAuthApp, refresh_token: str) -> Request:
    """New tokens for a refresh token, or without one by the app's own credentials."""
    if not refresh_token:
        scope = {"scope": app.separator.join(app.scopes)} if app.scopes else {}
        return _request(app, {"grant_type": "client_credentials", **scope})
    return _request(app, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def revoke_request(app: OAuthApp, token: str) -> Request:
    """Have the vendor forget a token (RFC 7009)."""
    return msgspec.structs.replace(_request(app, {"token": token}), url=app.revoke_url)


def read_tokens(app: OAuthApp, request: Request, response: Response, now: int) -> Granted:
    """The tokens of an answer. `now` is in milliseconds.

    Raises NoAnswer: UNAUTHORIZED when the vendor refuses, UNREACHABLE when it may answer otherwise later.
    """
    if response.status in _LATER or response.status >= 500:
        raise NoAnswer("UNREACHABLE", f"The vendor's token endpoint answered {response.status}.")
    body = _read(response)
    found = body.get(app.within) if app.within else body
    tokens = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    access = tokens.get("access_token")
    if response.status >= 300 or not _is_token(access):
        raise NoAnswer("UNAUTHORIZED", _said(request, response, body))
    granted = {"access_token": cast("str", access)}
    if _is_token(refresh := tokens.get("refresh_token")):
        granted["refresh_token"] = cast("str", refresh)
    learned = {key: tokens[name] for name, key in app.learned.items() if _is_token(tokens.get(name))}
    return Granted(granted, _end(tokens.get("expires_in"), now), learned)


def _end(seconds: Any, now: int) -> int:
    try:
        return now + int(float(seconds) * 1000) if seconds else 0
    except (TypeError, ValueError, OverflowError):
        return 0


def _is_token(value: Any) -> bool:
    """A text fit to stand in a header."""
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


def _read(response: Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _said(request: Request, response: Response, body: dict[str, Any]) -> str:
    """What the vendor says of its refusal, made fit to show, with what it means where that is known."""
    code = str(body.get("error", ""))
    words = (body.get(name) for name in ("error_description", "message", "status"))
    described = next((word for word in words if isinstance(word, str) and word), "")
    shown = ": ".join(part for part in (str(response.status), code, described) if part)
    meaning = _OUR_FAULT.get(code, "The vendor gave no tokens.")
    return f"{meaning} ({cut(redact(shown, forms(request.secrets)), _SAID_BYTES)})"


def _request(app: OAuthApp, given: dict[str, str]) -> Request:
    headers = {"Accept": "application/json", "User-Agent": "Headwater"}
    secrets = (app.client_secret, *(given[name] for name in ("code", "refresh_token", "token") if given.get(name)))
    if app.client_authentication == "header":
        pair = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        basic = base64.b64encode(pair.encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
        secrets = (*secrets, basic)
    else:
        given = {**given, "client_id": app.client_id, "client_secret": app.client_secret}
    named = {app.names.get(name, name): value for name, value in given.items() if value}
    body = msgspec.json.encode(named) if app.json else urlencode(named).encode()
    headers["Content-Type"] = "application/json" if app.json else "application/x-www-form-urlencoded"
    return Request("POST", app.token_url, headers, body, timeout=_TIMEOUT, secrets=tuple(filter(None, secrets)))
