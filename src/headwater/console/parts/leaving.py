"""What happens on an open page when the session of whoever looks at it has ended."""

from __future__ import annotations

import json
from urllib.parse import quote

from nicegui import ui

from headwater.console.person import Person
from headwater.spec.errors import SenderError

_SIGN_IN = "/console/sign-in"


async def leave_if_ended(error: Exception) -> bool:
    """Was this refused because the session has ended? Then the browser is led to sign in, and back here after that."""
    request = ui.context.client.request
    if not isinstance(error, SenderError) or error.status != 401:
        return False
    person = request.scope.get("person")
    if not isinstance(person, Person) or await person.present():
        return False
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = json.dumps(f"{_SIGN_IN}?next={quote(place)}")
    ui.run_javascript(f"leaveOnce(() => location.assign({target}))")
    return True
