"""The operator's own app at a vendor, with which its destinations are authorised (contract: connections 6.14).

What is known of a vendor (`vendors.py`) and what the operator says are one shape: the operator's part wins field by
field. An app without an `authorize_url` is not asked for in a browser: its tokens come by client credentials, or are
pasted.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headwater.spec.typed import converter

CALLBACK = "/console/oauth/callback"
"""Where vendors send the browser back to, below the address of the console."""


class OAuthApp(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An app at a vendor. `client_secret` is sealed at rest.

    `parameters` are added to the address that the browser is sent to. `client_authentication` says where the token
    request holds the id and secret: in its body, or in a header. `pkce` sends a code challenge (RFC 7636). The last
    five are peculiarities: how scopes are separated, what the vendor calls the parameters of OAuth, that it takes JSON,
    the field of its answer that holds the tokens, and fields beside the tokens that become settings of the destination.
    """

    client_id: str = ""
    client_secret: str = ""
    authorize_url: str = ""
    token_url: str = ""
    revoke_url: str = ""
    scopes: tuple[str, ...] = ()
    parameters: dict[str, str] = {}
    client_authentication: Literal["body", "header"] = "body"
    pkce: bool = True
    separator: str = " "
    names: dict[str, str] = {}
    json: bool = False
    within: str = ""
    learned: dict[str, str] = {}


def merge(known: OAuthApp, own: dict[str, Any]) -> OAuthApp:
    """The app in force: what is known of the vendor, and what the operator says of it. Raises ValidationError."""
    return _as_app({**msgspec.to_builtins(known), **own})


_as_app = converter(OAuthApp)
