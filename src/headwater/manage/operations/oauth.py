"""OAuth: the operator's app at each vendor, and the authorizations of destinations. Headwater's own.

Segment has apps of its own at the vendors; who runs Headwater registers theirs. No token is ever shown.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.manage import authorizing
from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.forms import MASK
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.passwords import Confidential
from headwater.manage.problems import invalid, missing
from headwater.spec.errors import SenderError
from headwater.spec.oauth import OAuthApp, merge
from headwater.spec.timestamps import format_moment
from headwater.spec.vendors import VENDORS, known
from headwater.store import audit, authorizations, oauth_apps

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.deliver.oauth import Granted

_TAG = "Destinations"
_APP = "/headwater/oauth-apps/{metadataId}"
_ONE = "/headwater/destinations/{destinationId}/authorization"
_SECRET: dict[str, Any] = {"format": "password"}
MetadataId = Annotated[str, Meta(min_length=1, max_length=255, description="The destination's id in the catalogue.")]
Address = Annotated[str, Meta(max_length=2_000, pattern=r"^(https?://[^\s]+)?$")]
TokenText = Annotated[str, Meta(max_length=20_000, pattern=r"^[!-~]*$", extra_json_schema=_SECRET)]
ConsoleUrl = Annotated[
    Address, Meta(description="The console's address as browsers know it; empty: manage.public_url.")
]


class OAuthAppShape(Shape, frozen=True, kw_only=True):
    """An app, with its secret masked. `known` says whether Headwater knows the vendor's addresses.

    `callbackUrl` is what to register at the vendor as the address that it sends the browser back to.
    """

    metadata_id: str
    configured: bool
    known: bool
    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str
    revoke_url: str
    scopes: list[str]
    parameters: dict[str, str]
    client_authentication: str
    pkce: bool
    callback_url: str


class OAuthAppAnswer(Shape, frozen=True, kw_only=True):
    """An app."""

    app: OAuthAppShape


class ListOAuthApps(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing is asked."""


class ListOAuthAppsAnswer(Shape, frozen=True, kw_only=True):
    """The apps: those that are set up, and those of vendors that Headwater knows."""

    apps: list[OAuthAppShape]


class OneOAuthApp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app."""

    metadata_id: MetadataId


class SetOAuthApp(Confidential, frozen=True, kw_only=True, rename="camel"):
    """An app. What is absent is as Headwater knows the vendor; an absent or masked secret stays."""

    metadata_id: MetadataId
    client_id: Annotated[str, Meta(min_length=1, max_length=1_000, description="The app's id at the vendor.")]
    client_secret: Annotated[str, Meta(max_length=10_000, description="Its secret.", extra_json_schema=_SECRET)] = ""
    authorize_url: Annotated[Address, Meta(description="Where people allow access.")] = ""
    token_url: Annotated[Address, Meta(description="Where tokens are asked for.")] = ""
    revoke_url: Annotated[Address, Meta(description="Where tokens are taken back.")] = ""
    scopes: Annotated[list[str] | None, Meta(description="What is asked for.")] = None
    parameters: Annotated[dict[str, str] | None, Meta(description="Added to the address of the browser.")] = None
    client_authentication: Annotated[
        Literal["body", "header"] | None, Meta(description="Where a request for tokens holds the id and secret.")
    ] = None
    pkce: Annotated[bool | None, Meta(description="Whether a code challenge is sent.")] = None


@operation("GET", "/headwater/oauth-apps", scope="destinations:read", tag=_TAG)
async def list_oauth_apps(desk: Desk, request: ListOAuthApps) -> ListOAuthAppsAnswer:
    """List the apps with which destinations are authorised, and the vendors that Headwater knows."""
    own = await desk.store.read(_all_apps)
    names = sorted(own.keys() | VENDORS.keys())
    return ListOAuthAppsAnswer(apps=[_show_app(desk, name, own.get(name)) for name in names])


@operation("GET", _APP, scope="destinations:read", tag=_TAG)
async def get_oauth_app(desk: Desk, request: OneOAuthApp) -> OAuthAppAnswer:
    """Show the app with which destinations of a kind are authorised."""
    authorizing.check_authorises(request.metadata_id)
    own = await desk.store.read(partial(oauth_apps.find, definition=request.metadata_id))
    return OAuthAppAnswer(app=_show_app(desk, request.metadata_id, own))


@operation("PUT", _APP, scope="destinations:write", tag=_TAG)
async def set_oauth_app(desk: Desk, request: SetOAuthApp) -> OAuthAppAnswer:
    """Set the app that you registered at a vendor; with other addresses of tokens, authorizations end."""
    name = request.metadata_id
    authorizing.check_authorises(name)

    def work(connection: Connection) -> tuple[dict[str, Any], list[audit.Entry]]:
        own = _own(desk, request, oauth_apps.find(connection, name))
        keep = partial(oauth_apps.keep, definition=name, settings=own)
        authorizing.end_if_app_moved(connection, name, keep)
        return own, [note(desk, "OAuth App Modified", "OAUTH_APP", name, name)]

    return OAuthAppAnswer(app=_show_app(desk, name, await change(desk, work)))


@operation("DELETE", _APP, scope="destinations:write", tag=_TAG)
async def delete_oauth_app(desk: Desk, request: OneOAuthApp) -> Done:
    """Forget an app; tokens that were given to it cannot be refreshed any more."""
    name = request.metadata_id

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        if oauth_apps.find(connection, name) is None:
            raise missing("app")
        authorizing.end_if_app_moved(connection, name, partial(oauth_apps.delete, definition=name))
        return Done(), [note(desk, "OAuth App Deleted", "OAUTH_APP", name, name)]

    return await change(desk, work)


class CreateAuthorizationLink(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination to authorise."""

    destination_id: DestinationId
    console_url: ConsoleUrl = ""


class CreateAuthorizationLinkAnswer(Shape, frozen=True, kw_only=True):
    """The address to open in a browser that is signed in to the console, and until when."""

    url: str
    expires_at: str


@operation("POST", f"{_ONE}-links", scope="destinations:write", tag=_TAG, status=201)
async def create_authorization_link(desk: Desk, request: CreateAuthorizationLink) -> CreateAuthorizationLinkAnswer:
    """Begin to authorise a destination: get the address at which the vendor asks for it."""
    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, request.destination_id)
    begun = await authorizing.begin(desk, destination, request.console_url)
    return CreateAuthorizationLinkAnswer(url=begun.url, expires_at=format_moment(begun.expires_at))


class AddAuthorization(Confidential, frozen=True, kw_only=True, rename="camel"):
    """What the vendor sent the browser back with: a code, or an error."""

    state: Annotated[str, Meta(min_length=1, max_length=200, description="As it came back.")]
    code: Annotated[str, Meta(max_length=10_000, description="The code, if it was allowed.")] = ""
    error: Annotated[str, Meta(max_length=10_000, description="The vendor's error, if it was not.")] = ""
    detail: Annotated[str, Meta(max_length=10_000, description="What the vendor says of the error.")] = ""


class AuthorizationShape(Shape, frozen=True, kw_only=True):
    """How a destination is authorised. No token is shown.

    `state` is none, granted or refused; `detail` says why it was refused and what to do. `expiresAt` is when the access
    token ends, if the vendor says so; it is refreshed by itself when `refreshes` is true.
    """

    destination_id: str
    destination_name: str
    state: Literal["none", "granted", "refused"]
    detail: str
    updated_at: str | None
    expires_at: str | None
    refreshes: bool
    app_configured: bool


class AuthorizationAnswer(Shape, frozen=True, kw_only=True):
    """How a destination is authorised."""

    authorization: AuthorizationShape


@operation("POST", "/headwater/authorizations", scope="destinations:write", tag=_TAG, status=201)
async def add_authorization(desk: Desk, request: AddAuthorization) -> AuthorizationAnswer:
    """Finish an authorization with what the vendor sent back; what waited for it flows again."""
    link = await authorizing.take(desk, request.state)
    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, link.destination_id)
    if not request.code:
        said = ": ".join(part for part in (request.error, request.detail) if part) or "it gave no code"
        raise SenderError(f"The vendor did not allow it ({said[:300]}). Nothing was changed.", status=422)
    return await _grant(desk, destination.id, await authorizing.exchange(desk, destination, link, request.code))


class SetAuthorization(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Tokens that the vendor gave you."""

    destination_id: DestinationId
    access_token: Annotated[TokenText, Meta(description="The access token.")] = ""
    refresh_token: Annotated[TokenText, Meta(description="The refresh token, if there is one.")] = ""


@operation("PUT", _ONE, scope="destinations:write", tag=_TAG)
async def set_authorization(desk: Desk, request: SetAuthorization) -> AuthorizationAnswer:
    """Authorise a destination with tokens that the vendor gave you, where no browser can be sent."""
    from headwater.deliver.oauth import Granted

    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, request.destination_id)
    authorizing.check_authorises(destination.definition)
    given = {"access_token": request.access_token, "refresh_token": request.refresh_token}
    if not any(given.values()):
        raise invalid("accessToken", '"accessToken" or "refreshToken" must be given')
    if not request.access_token:
        await authorizing.app_of(desk, destination.definition)
    return await _grant(desk, destination.id, Granted(authorizing.sealed(desk, given)))


class OneAuthorization(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination."""

    destination_id: DestinationId


@operation("GET", _ONE, scope="destinations:read", tag=_TAG)
async def get_authorization(desk: Desk, request: OneAuthorization) -> AuthorizationAnswer:
    """Show how a destination is authorised, and since when."""
    return await _shown(desk, request.destination_id)


class DeleteAuthorizationAnswer(Shape, frozen=True, kw_only=True):
    """That the tokens are forgotten here, and whether the vendor says that it forgot them too."""

    status: Literal["SUCCESS"] = "SUCCESS"
    forgotten_by_vendor: bool


@operation("DELETE", _ONE, scope="destinations:write", tag=_TAG)
async def delete_authorization(desk: Desk, request: OneAuthorization) -> DeleteAuthorizationAnswer:
    """Take an authorization back: its tokens are forgotten, here and at the vendor, and the destination waits."""
    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, request.destination_id)
    forgotten = await authorizing.forget_at_vendor(desk, destination)

    def work(connection: Connection) -> tuple[None, list[audit.Entry]]:
        authorizing.end(connection, [destination], authorizing.TAKEN_BACK)
        kind = "Integration Authorization Deleted"
        return None, [note(desk, kind, "DESTINATION", destination.id, destination.name)]

    await change(desk, work)
    return DeleteAuthorizationAnswer(forgotten_by_vendor=forgotten)


async def _grant(desk: Desk, destination_id: str, granted: Granted) -> AuthorizationAnswer:
    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, destination_id)

    def work(connection: Connection) -> tuple[None, list[audit.Entry]]:
        authorizing.grant(connection, destination.id, granted)
        return None, [note(desk, "Integration Authorized", "DESTINATION", destination.id, destination.name)]

    await change(desk, work)
    return await _shown(desk, destination_id)


async def _shown(desk: Desk, destination_id: str) -> AuthorizationAnswer:
    workspace = await desk.workspace()
    destination = authorizing.find_destination(workspace.destinations, destination_id)
    found = await desk.store.read(partial(authorizations.find, destination_id=destination_id))
    own = await desk.store.read(partial(oauth_apps.find, definition=destination.definition))
    if found is None:
        raise missing("destination")
    return AuthorizationAnswer(
        authorization=AuthorizationShape(
            destination_id=destination.id,
            destination_name=destination.name,
            state=found.state or "none",
            detail=found.detail,
            updated_at=format_moment(found.updated_at) if found.state else None,
            expires_at=format_moment(found.expires_at) if found.expires_at else None,
            refreshes="refresh_token" in found.tokens,
            app_configured=own is not None,
        )
    )


def _all_apps(connection: Connection) -> dict[str, dict[str, Any]]:
    found = {name: oauth_apps.find(connection, name) for name in oauth_apps.names(connection)}
    return {name: own for name, own in found.items() if own is not None}


def _own(desk: Desk, request: SetOAuthApp, before: dict[str, Any] | None) -> dict[str, Any]:
    """What the operator says of the app, as it is stored. Raises Refused when the secret must be given again."""
    given: dict[str, Any] = {
        "clientId": request.client_id,
        "authorizeUrl": request.authorize_url or None,
        "tokenUrl": request.token_url or None,
        "revokeUrl": request.revoke_url or None,
        "scopes": request.scopes,
        "parameters": request.parameters,
        "clientAuthentication": request.client_authentication,
        "pkce": request.pkce,
    }
    own = {name: value for name, value in given.items() if value is not None}
    if request.client_secret not in ("", MASK):
        return {**own, "clientSecret": desk.secrets.seal(request.client_secret)}
    held = (before or {}).get("clientSecret", "")
    if not held:
        return own
    vendor = known(request.metadata_id)
    places = [(one.token_url, one.revoke_url) for one in (merge(vendor, own), merge(vendor, before or {}))]
    if places[0] != places[1]:
        raise invalid(
            "clientSecret",
            '"clientSecret" must be given again together with "tokenUrl" or "revokeUrl": a secret is sent only to the '
            "place that it was given for",
        )
    return {**own, "clientSecret": held}


def _show_app(desk: Desk, name: str, own: dict[str, Any] | None) -> OAuthAppShape:
    app: OAuthApp = merge(known(name), own or {})
    return OAuthAppShape(
        metadata_id=name,
        configured=own is not None,
        known=name in VENDORS,
        client_id=app.client_id,
        client_secret=MASK if app.client_secret else "",
        authorize_url=app.authorize_url,
        token_url=app.token_url,
        revoke_url=app.revoke_url,
        scopes=list(app.scopes),
        parameters=app.parameters,
        client_authentication=app.client_authentication,
        pkce=app.pkce,
        callback_url=authorizing.callback(desk),
    )
