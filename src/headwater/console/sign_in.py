"""The sign-in page: plain HTML that needs no script, so that it works before anything else does."""

from __future__ import annotations

import re
import time
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headwater.console.guard import COOKIE, SIGN_IN
from headwater.manage.front import Front
from headwater.manage.operations import OPERATIONS
from headwater.manage.operations.sessions import CreateSession, DeleteSession, create_session, delete_session
from headwater.spec.errors import HeadwaterError, SenderError
from headwater.spec.timestamps import parse_moment

_FORM = (Path(__file__).parent / "assets" / "sign_in.html").read_text(encoding="utf-8")
_FIELD = re.compile(r"{{(next|problem)}}")
_MAX_LENGTH = 1_000


async def show(request: Request) -> Response:
    """The form; `next` is where to go afterwards."""
    return _form(next_place(request.query_params.get("next", "")))


async def sign_in(request: Request, front: Front) -> Response:
    """Open a session for what the form holds, and set its cookie. A refusal shows the form again, and says why."""
    async with request.form(max_files=0, max_fields=10, max_part_size=10_000) as form:
        given = {name: str(form.get(name) or "").strip()[:_MAX_LENGTH] for name in ("token", "email", "next")}
        password = str(form.get("password") or "")[:_MAX_LENGTH]
    place = next_place(given["next"])
    if given["token"]:
        wanted = CreateSession(token=given["token"])
    elif given["email"] and password:
        wanted = CreateSession(email=given["email"], password=password)
    else:
        return _form(place, "Give a token, or an e-mail address and its password.", 422)
    try:
        desk, _ = await front.admit(OPERATIONS["create_session"], {})
        opened = await create_session(desk, wanted)
    except HeadwaterError as error:
        return _form(place, str(error), error.status if isinstance(error, SenderError) else 503)
    answer = RedirectResponse(place, status_code=303)
    expires = parse_moment(opened.session.expires_at)
    answer.set_cookie(
        COOKIE,
        opened.text,
        max_age=max(0, expires // 1000 - int(time.time())) if expires else None,
        path="/console",
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    return answer


async def sign_out(request: Request, front: Front) -> Response:
    """End the session and forget its cookie."""
    headers = {"authorization": f"Bearer {request.cookies.get(COOKIE, '')}"}
    try:
        desk, _ = await front.admit(OPERATIONS["delete_session"], headers)
        await delete_session(desk, DeleteSession())
    except SenderError as error:
        if error.status != 401:
            raise
    answer = RedirectResponse(SIGN_IN, status_code=303)
    answer.delete_cookie(COOKIE, path="/console")
    return answer


def next_place(wanted: str) -> str:
    """Where to go after signing in: a page of the console, whatever else was asked for."""
    parts = urlsplit(wanted)
    inside = not parts.scheme and not parts.netloc and parts.path.startswith("/console/") and "\\" not in wanted
    return wanted if inside and ".." not in parts.path else "/console/"


def _is_secure(request: Request) -> bool:
    """Did the browser come by https? The house itself speaks http; it is the proxy before it, or the browser's own
    Origin, that tells. Nobody is believed anything to the harm of another: the cookie is of whoever says so.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    origin = request.headers.get("origin", "")
    return "https" in (request.url.scheme, forwarded, urlsplit(origin).scheme)


def _form(place: str, problem: str = "", status: int = 200) -> Response:
    said = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    filled = {"next": escape(place), "problem": said}
    return HTMLResponse(_FIELD.sub(lambda field: filled[field[1]], _FORM), status_code=status)
