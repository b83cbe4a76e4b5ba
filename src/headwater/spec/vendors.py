"""What is publicly known of the vendors whose destinations are authorised with OAuth: addresses and scopes.

One entry a destination of the catalogue, by its slug. An operator may say otherwise for each field, because vendors
move, and because an app may be allowed less. Where an address is missing here, the operator gives it. Destinations of
`OWN_CREDENTIALS` fetch their tokens with credentials that stand in their settings; there is nothing to authorise.
"""

from __future__ import annotations

from typing import Any, Final

from headwater.spec.oauth import OAuthApp

_GOOGLE_SCOPE: Final = "https://www.googleapis.com/auth/"


def _vendor(authorize: str, token: str, *scopes: str, **more: Any) -> OAuthApp:
    return OAuthApp(authorize_url=authorize, token_url=token, scopes=scopes, **more)


def _google(*scopes: str) -> OAuthApp:
    return _vendor(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        *(_GOOGLE_SCOPE + scope for scope in scopes),
        revoke_url="https://oauth2.googleapis.com/revoke",
        parameters={"access_type": "offline", "prompt": "consent"},
    )


def _salesforce(*scopes: str, **more: Any) -> OAuthApp:
    place = "https://login.salesforce.com/services/oauth2"
    return _vendor(f"{place}/authorize", f"{place}/token", *scopes, revoke_url=f"{place}/revoke", **more)


def _linkedin(*scopes: str) -> OAuthApp:
    place = "https://www.linkedin.com/oauth/v2"
    return _vendor(f"{place}/authorization", f"{place}/accessToken", *scopes, pkce=False)


def _snap() -> OAuthApp:
    place = "https://accounts.snapchat.com/login/oauth2"
    return _vendor(f"{place}/authorize", f"{place}/access_token", "snapchat-marketing-api")


def _amazon() -> OAuthApp:
    token = "https://api.amazon.com/auth/o2/token"  # noqa: S105 - an address
    return _vendor("https://www.amazon.com/ap/oa", token, "advertising::campaign_management")


VENDORS: Final[dict[str, OAuthApp]] = {
    "actions-amazon-amc": _amazon(),
    "actions-amazon-conversions-api": _amazon(),
    "actions-attio": _vendor("https://app.attio.com/authorize", "https://app.attio.com/oauth/token", pkce=False),
    "actions-blackbaud-raisers-edge-nxt": _vendor(
        "https://app.blackbaud.com/oauth/authorize", "https://oauth2.sky.blackbaud.com/token"
    ),
    "actions-facebook-custom-audiences": _vendor(
        "https://www.facebook.com/dialog/oauth",
        "https://graph.facebook.com/oauth/access_token",
        "ads_management",
        "business_management",
        separator=",",
        pkce=False,
    ),
    "actions-first-party-dv360": _google("display-video"),
    "actions-google-campaign-manager-360": _google("ddmconversions", "dfareporting"),
    "actions-google-data-manager": _google("datamanager"),
    "actions-google-enhanced-conversions": _google("adwords"),
    "actions-google-sheets": _google("spreadsheets"),
    "actions-google-sheets-dev": _google("spreadsheets"),
    "actions-hilo": _vendor("", "https://api.hilohq.com/oauth/token"),
    "actions-hubspot-cloud": _vendor(
        "https://app.hubspot.com/oauth/authorize",
        "https://api.hubapi.com/oauth/v1/token",
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.schemas.contacts.read",
        "crm.schemas.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.schemas.companies.read",
        "crm.schemas.companies.write",
    ),
    "actions-intercom-cloud": _vendor(
        "https://app.intercom.com/oauth", "https://api.intercom.io/auth/eagle/token", pkce=False
    ),
    "actions-linkedin-audiences": _linkedin("rw_dmp_segments", "r_ads"),
    "actions-linkedin-conversions": _linkedin("rw_conversions", "r_ads"),
    "actions-ms-bing-ads-audiences": _vendor(
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "https://ads.microsoft.com/msads.manage",
        "offline_access",
    ),
    "actions-pardot": _salesforce("pardot_api", "refresh_token"),
    "actions-reddit-audiences": _vendor(
        "https://www.reddit.com/api/v1/authorize",
        "https://www.reddit.com/api/v1/access_token",
        "adsread",
        "adsedit",
        revoke_url="https://www.reddit.com/api/v1/revoke_token",
        parameters={"duration": "permanent"},
        separator=",",
        client_authentication="header",
        pkce=False,
    ),
    "actions-salesforce": _salesforce("api", "refresh_token", learned={"instance_url": "instanceUrl"}),
    "actions-snap-audiences": _snap(),
    "actions-snap-conversions": _snap(),
    "actions-tiktok-audiences": _vendor(
        "https://business-api.tiktok.com/portal/auth",
        "https://business-api.tiktok.com/open_api/v1.3/oauth2/access_token/",
        names={"client_id": "app_id", "client_secret": "secret", "code": "auth_code"},
        json=True,
        within="data",
        pkce=False,
    ),
    "actions-webhook-extensible": OAuthApp(),
    "actions-yahoo-audiences": OAuthApp(),
    "yotpo-actions": _vendor("", "https://developers.yotpo.com/v2/oauth/token", pkce=False),
}

OWN_CREDENTIALS: Final = frozenset(
    {
        "actions-1plusx-asset-api",
        "actions-acoustic-campaign",
        "actions-listrak",
        "actions-m3ter",
        "actions-marketo-static-lists",
        "actions-responsys",
        "actions-salesforce-marketing-cloud",
        "actions-taboola-actions",
    }
)
"""These ask for tokens with what stands in their settings (client credentials and the like)."""


def known(definition: str) -> OAuthApp:
    """What is known of a destination's vendor; an empty app for one that is not known."""
    return VENDORS.get(definition, OAuthApp())
