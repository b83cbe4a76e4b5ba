"""Where vendors send the browser back to after they were asked for access: a page that says what came of it.

It is asked with a GET from another site, and the session's cookie comes along. What makes it safe is the `state`, which
is good once and only in the session that began (`manage/authorizing.py`). Nothing of the address shows unescaped, and
the only link leads into the console.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from headwater.console.person import Person
from headwater.manage.operations.oauth import AddAuthorization, add_authorization
from headwater.spec.errors import HeadwaterError, SenderError

_PAGE = (Path(__file__).parent / "assets" / "authorized.html").read_text(encoding="utf-8")
_FIELD = re.compile(r"{{(title|said|place|link)}}")
_MAX_LENGTH = 10_000
_STATE_LENGTH = 200


async def come_back(request: Request) -> Response:
    """Finish the authorization that the address tells of."""
    given = {name: value[:_MAX_LENGTH] for name, value in request.query_params.items()}
    person: Person = request.scope["person"]
    asked = AddAuthorization(
        state=given.get("state", "")[:_STATE_LENGTH] or "-",
        code=given.get("code") or given.get("auth_code", ""),
        error=given.get("error", ""),
        detail=given.get("error_description", ""),
    )
    try:
        answer = (await person.ask(add_authorization, asked)).authorization
    except HeadwaterError as error:
        status = error.status if isinstance(error, SenderError) else 503
        return _page("Not authorised", _problem(str(error)), "/console/destinations", "Go to the destinations", status)
    name = escape(answer.destination_name)
    return _page(
        "Authorised",
        f"<p><strong>{name}</strong> may use its account now. What waited for it is sent within seconds.</p>",
        f"/console/destinations/{quote(answer.destination_id, safe='')}",
        f"Go to {answer.destination_name}",
        200,
    )


def _problem(sentence: str) -> str:
    return f'<p class="problem" role="alert">{escape(sentence)}</p>'


def _page(title: str, said: str, place: str, link: str, status: int) -> Response:
    filled = {"title": escape(title), "said": said, "place": escape(place), "link": escape(link)}
    return HTMLResponse(_FIELD.sub(lambda field: filled[field[1]], _PAGE), status_code=status)
