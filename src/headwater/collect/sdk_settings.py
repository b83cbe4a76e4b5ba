"""The settings of a source as browser and mobile libraries fetch them (contract: connections 4.3, clients 3)."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import msgspec

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


class SdkSettings(msgspec.Struct, frozen=True):
    """A settings document and its entity tag."""

    body: bytes
    etag: str


def public_address(public_url: str, host: str | None, scheme: str) -> tuple[str, str]:
    """Protocol and API host (`name:port/v1`) by which clients reach the tracking API.

    The owner's setting decides; without one, what the request itself says. A Host header that is no host name reads
    as `localhost`.
    """
    if public_url:
        protocol, _, rest = public_url.rpartition("://")
        place = rest.rstrip("/").removesuffix("/v1")
        return protocol or "https", f"{place}/v1"
    name = (host or "").strip()
    return "https" if scheme == "https" else "http", f"{name if _HOST.fullmatch(name) else 'localhost'}/v1"


@lru_cache(maxsize=1_024)
def settings_document(write_key: str, protocol: str, api_host: str) -> SdkSettings:
    """The document for one source. Only `Segment.io` is named: every further name makes the browser library fetch
    code that is not here.
    """
    segment = {
        "apiKey": write_key,
        "apiHost": api_host,
        "protocol": protocol,
        "retryQueue": True,
        "addBundledMetadata": True,
        "unbundledIntegrations": [],
        "bundledConfigIds": [],
        "unbundledConfigIds": [],
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    allowed = {"enabled": True, "integrations": {}}
    document = {
        "integrations": {"Segment.io": segment},
        "plan": {"track": {"__default": allowed}, "identify": {"__default": allowed}, "group": {"__default": allowed}},
        "edgeFunction": {},
        "middlewareSettings": {"routingRules": []},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": api_host, "flushTimer": 30_000, "maxQueueSize": 20},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
        "consentSettings": {"allCategories": [], "hasUnmappedDestinations": True},
        "autoInstrumentationSettings": {"sampleRate": 0},
    }
    body = msgspec.json.encode(document)
    return SdkSettings(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
