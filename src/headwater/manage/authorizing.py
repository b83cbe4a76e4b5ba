"""Authorising destinations with OAuth: whose app is used, where the browser goes, and what comes back.

The browser is sent to the vendor with a `state` that is good once, for ten minutes, and for whoever began: their
session, or a session of the token that they began with. So nobody can have somebody else finish what they began, and an
address that was overheard is worth nothing. The code that comes back is worth nothing without the verifier, which never
leaves the house.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from headwater import destinations as catalogue
from headwater.manage.desk import Caller, Desk
from headwater.manage.elsewhere import moved
from headwater.manage.problems import invalid, missing
from headwater.spec.destination import Field, NoAnswer, Request, Response
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.oauth import CALLBACK, OAuthApp, merge
from headwater.spec.vendors import OWN_CREDENTIALS, VENDORS, known
from headwater.spec.workspace import Destination
from headwater.store import authorizations, oauth_apps
from headwater.store import workspace as workspaces
from headwater.store.authorizations import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from headwater.deliver.oauth import Granted

LASTS_MS: Final = 600_000
"""How long somebody may take at the vendor's."""

MOVED: Final = "Its address was changed, so its authorization ended. Authorise it again."
APP_MOVED: Final = "An address of its app was changed, so its authorization ended. Authorise it again."
TAKEN_BACK: Final = "Somebody took the authorization back. Authorise it again."
_SPENT: Final = (
    "This authorization was finished already, was begun by somebody else or more than ten minutes ago. Begin it again "
    "from the destination's page, in the browser that you are signed in with."
)


class Begun(msgspec.Struct, frozen=True):
    """Where to send the browser, and until when (milliseconds)."""

    url: str
    expires_at: int


def authorises(definition: str) -> bool:
    """Is a destination of this definition authorised with OAuth, by an app of the operator's?"""
    if definition in OWN_CREDENTIALS:
        return False
    if definition in VENDORS:
        return True
    return catalogue.known(definition) and catalogue.definition(definition).authentication.startswith("oauth")


def check_authorises(definition: str) -> None:
    """Raises SenderError 409 with the reason when there is nothing to authorise."""
    if definition in OWN_CREDENTIALS:
        raise SenderError(
            "This destination gets its tokens with the credentials in its settings; there is nothing to authorise.",
            code="conflict",
            status=409,
        )
    if not authorises(definition):
        raise SenderError("This destination is not authorised with OAuth.", code="conflict", status=409)


def read_app(desk: Desk, definition: str, own: Mapping[str, Any]) -> OAuthApp:
    """The app in force, with its secret opened. Raises SetupError when it cannot be."""
    app = merge(known(definition), dict(own))
    return msgspec.structs.replace(app, client_secret=desk.secrets.open(app.client_secret))


async def app_of(desk: Desk, definition: str) -> OAuthApp:
    """The same, as it stands. Raises SenderError 409 when the operator has none."""
    check_authorises(definition)
    own = await desk.store.read(partial(oauth_apps.find, definition=definition))
    if own is None:
        raise SenderError(
            f"There is no app for {definition} yet: register one at the vendor, with the callback address "
            f"{callback(desk)}, and give its id and secret (PUT /headwater/oauth-apps/{definition}).",
            code="conflict",
            status=409,
        )
    return read_app(desk, definition, own)


def callback(desk: Desk, address: str = "") -> str:
    """Where the vendor sends the browser back to: `address` of the console, or else that of the settings.

    Raises Refused for an address that is none.
    """
    settings = desk.settings.manage
    base = address or settings.public_url or f"http://localhost:{settings.port}"
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise invalid("consoleUrl", '"consoleUrl" must be an http or https address, such as https://hw.example.com')
    return f"{parts.scheme}://{parts.netloc}{CALLBACK}"


async def begin(desk: Desk, destination: Destination, address: str) -> Begun:
    """Begin an authorization of a destination. Raises SenderError or Refused when it cannot be."""
    from headwater.deliver.oauth import authorize_address

    app = await app_of(desk, destination.definition)
    if not app.authorize_url or not app.token_url:
        raise SenderError(
            f"The app for {destination.definition} lacks its authorizeUrl or tokenUrl; the vendor's pages for "
            "developers name them. Or paste tokens that the vendor gave you.",
            code="conflict",
            status=409,
        )
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    link = Link(
        destination_id=destination.id,
        session_id=desk.caller.token_id if desk.caller.session else "",
        actor=desk.caller.actor,
        verifier=desk.secrets.seal(verifier),
        redirect_url=callback(desk, address),
        expires_at=desk.now + LASTS_MS,
    )
    await desk.store.write(partial(authorizations.begin, state=state, link=link, at=desk.now))
    url = authorize_address(app, state=state, redirect_url=link.redirect_url, verifier=verifier)
    return Begun(url, link.expires_at)


async def take(desk: Desk, state: str) -> Link:
    """What was begun with this `state`, which is spent by it. Raises SenderError 409 unless the caller began it."""
    link = await desk.store.write(partial(authorizations.finish, state=state, at=desk.now))
    if link is None or not _began(link, desk.caller):
        raise SenderError(_SPENT, code="conflict", status=409)
    return link


def _began(link: Link, caller: Caller) -> bool:
    """Their own session; or, for what a program began with a token, whoever holds that token or a session of it."""
    return link.session_id == caller.token_id if link.session_id else link.actor == caller.actor


async def exchange(desk: Desk, destination: Destination, link: Link, code: str) -> Granted:
    """The tokens for a code, sealed. Raises SenderError 422 with what the vendor says when it refuses."""
    from headwater.deliver.oauth import code_request, read_tokens

    app = await app_of(desk, destination.definition)
    verifier = desk.secrets.open(link.verifier)
    request = code_request(app, code=code, redirect_url=link.redirect_url, verifier=verifier)
    try:
        granted = read_tokens(app, request, await ask(desk, request), desk.now)
    except NoAnswer as error:
        raise SenderError(f"No tokens were given. {error.detail}", code="refused", status=422) from error
    return msgspec.structs.replace(granted, tokens=sealed(desk, granted.tokens))


def sealed(desk: Desk, tokens: Mapping[str, str]) -> dict[str, str]:
    """Tokens as they are kept."""
    return {name: desk.secrets.seal(text) for name, text in tokens.items() if text}


def grant(connection: Connection, destination_id: str, granted: Granted) -> None:
    """Keep sealed tokens, and the settings that came with them; what waited for them flows again."""
    if granted.learned:
        before = workspaces.find_destination(connection, destination_id)
        settings = {**before.settings, **granted.learned}
        workspaces.update_destination(connection, destination_id, settings=settings)
    authorizations.grant(connection, destination_id, granted.tokens, expires_at=granted.expires_at)


async def forget_at_vendor(desk: Desk, destination: Destination) -> bool:
    """Ask the vendor to forget the tokens too. Returns whether it says that it did; nothing is raised."""
    from headwater.deliver.oauth import revoke_request

    found = await desk.store.read(partial(authorizations.find, destination_id=destination.id))
    try:
        app = await app_of(desk, destination.definition)
        held = found.tokens.get("refresh_token") or found.tokens.get("access_token") if found else ""
        if not app.revoke_url or not held:
            return False
        return (await ask(desk, revoke_request(app, desk.secrets.open(held)))).status < 300
    except (NoAnswer, SenderError, SetupError):
        return False


async def ask(desk: Desk, request: Request) -> Response:
    """Make one request by the only way out. Raises NoAnswer."""
    from headwater.deliver.transport import Transport

    async with Transport(desk.settings.deliver.allowed_addresses) as transport:
        return await transport.exchange(request)


def find_destination(found: Sequence[Destination], destination_id: str) -> Destination:
    """The destination of that id. Raises SenderError 404."""
    destination = next((one for one in found if one.id == destination_id), None)
    if destination is None:
        raise missing("destination")
    return destination


def end_if_moved(
    connection: Connection,
    before: Destination,
    after: Mapping[str, Any],
    fields: Sequence[Field],
) -> None:
    """End the authorization of a destination whose settings name another place: tokens are secrets too."""
    if moved(fields, before.settings, after):
        end(connection, [before], MOVED)


def end_if_app_moved(connection: Connection, definition: str, change: Callable[[Connection], Any]) -> None:
    """Make a change to an app, and end the authorizations whose tokens it would send elsewhere."""

    def addresses() -> tuple[str, str]:
        app = merge(known(definition), oauth_apps.find(connection, definition) or {})
        return app.token_url, app.revoke_url

    before = addresses()
    change(connection)
    if addresses() != before:
        ours = [one for one in workspaces.load(connection).destinations if one.definition == definition]
        end(connection, ours, APP_MOVED)


def end(connection: Connection, destinations: Sequence[Destination], why: str) -> None:
    """End the authorizations that these destinations have; their backlog waits for new ones."""
    for one in destinations:
        standing = authorizations.find(connection, one.id)
        if standing is not None and standing.tokens:
            authorizations.refuse(connection, one.id, why, erase=True)
