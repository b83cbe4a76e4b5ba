"""Whose a request is: the write key that it carries, and the source that has this key (contract: connections 1.3)."""

from __future__ import annotations

import binascii
from functools import lru_cache

from headwater.spec.workspace import Source, Workspace

MAX_KEY_CHARS = 256
"""A longer write key is nobody's."""


_MAX_CACHED_CHARS = 1_024
"""A longer header is read each time: a stranger's headers must not fill the memory."""


def key_in_header(authorization: str | None) -> str:
    """The write key of an Authorization header, empty when it carries none.

    Basic with the key as the name; a password, a missing colon and missing padding are tolerated. What is not base64,
    or another scheme such as Bearer, carries no key: the body then does.
    """
    if authorization is not None and len(authorization) > _MAX_CACHED_CHARS:
        return _key_in_header(authorization)
    return _known_key(authorization)


def _key_in_header(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    text = text.strip().rstrip("=")
    try:
        plain = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True).decode()
    except ValueError:
        return ""
    return plain.partition(":")[0].strip()[: MAX_KEY_CHARS + 1]


_known_key = lru_cache(maxsize=8_192)(_key_in_header)


def first_key(*candidates: object) -> str:
    """The first that is a usable write key: text that is not empty. Spaces around it do not count."""
    for candidate in candidates:
        if isinstance(candidate, str) and (key := candidate.strip()):
            return key[: MAX_KEY_CHARS + 1]
    return ""


def compile_keys(workspace: Workspace) -> dict[str, Source]:
    """The sources of a workspace by their keys, enabled or not."""
    return {key: source for source in workspace.sources for key in source.write_keys}
