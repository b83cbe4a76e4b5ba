"""Where secrets are sent: a secret that was given for one place is not sent to another.

Whoever may change a destination could otherwise have its secrets sent to themselves, by changing its address alone. So
when a setting changes that names a place, every secret that stands must be given again with the change. This is the one
place that knows which settings name places, for all destinations and warehouses.

A setting names a place when its format or its key says so (`url`, `sftp_host`, `instanceUrl`, `brokers`), or when what
is written in it is an address. One that chooses among the vendor's own places, and a switch, does not: whoever is
chosen, it is the same vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from headwater.spec.destination import Field

_FORMATS: Final = {"uri", "uri-reference", "url", "hostname", "ipv4", "ipv6"}
_WORD = re.compile(
    r"urls?|uris?|host(s|name)?|(sub)?domain|endpoints?|servers?|brokers?|address(es)?|dsn|region|(data)?center"
    r"|pod|stack|port|instance|proxy|cluster"
)
_SECRET_WORD = re.compile(r"urls?|uris?|dsn|endpoints?")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HOST = re.compile(r"://|[\w-]\.[\w-]+\.[A-Za-z]{2,}\.?$|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]")
_ENDS_HOST = re.compile(r"[/\\#?:]")
_DOT = re.compile(r"[.%\u3002\uff0e\uff61]")
"""What is read as a dot in the name of a host; behind a percent sign stands anything."""


def moved(fields: Sequence[Field], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys of settings that name a place and change. Secret ones count when what stands in them differs."""
    found: list[str] = []
    for field in fields:
        old, new = before.get(field.key, field.default), after.get(field.key, field.default)
        if old != new and _names_place(field, old, new):
            found.append(field.key)
    return found


def refusal(keys: Sequence[str]) -> str:
    """Why a secret that stands cannot stay, to follow its name."""
    named = " and ".join(f'"{key}"' for key in keys)
    return f"must be given again together with {named}: a secret is sent only to the place that it was given for"


def _names_place(field: Field, *values: Any) -> bool:
    if field.choices or field.type == "boolean":
        return False
    word = _SECRET_WORD if field.secret else _WORD
    if field.format in _FORMATS or any(word.fullmatch(part.lower()) for part in _PART.findall(field.key)):
        return True
    return not field.secret and any(_is_address(text) for value in values for text in _texts(value))


def _is_address(text: str) -> bool:
    """Is this a host, or would it end the name of one if it stood in the middle of an address?"""
    return bool(_HOST.search(text) or (_ENDS_HOST.search(text) and _DOT.search(text)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    return [one for one in cast("list[Any]", value) if isinstance(one, str)] if isinstance(value, list) else []
