"""The pixel: an event in the query of an image's address (contract: connections 1.9)."""

from __future__ import annotations

import binascii
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from headwater.collect.write_keys import first_key
from headwater.spec.errors import SenderError

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""One transparent point."""

_MAX_PAIRS = 1_000
_MAX_STEPS = 20
_URL_SAFE = str.maketrans("-_ ", "+/+")


def read_pixel(query: str) -> bytes:
    """The JSON body that a pixel's query stands for. `data` wins over pairs.

    Raises SenderError for `data` that is not base64 and for too many pairs.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PAIRS)
    except ValueError:
        raise SenderError(f"The query has more than {_MAX_PAIRS} pairs.") from None
    for name, value in pairs:
        if name == "data":
            return _from_data(value)
    return msgspec.json.encode(_nest(pairs))


def key_beside_data(query: str) -> str:
    """The write key of a query whose `data` holds none, empty when there is none either."""
    try:
        pairs = parse_qsl(query, max_num_fields=_MAX_PAIRS)
    except ValueError:
        return ""
    return first_key(dict(pairs).get("writeKey"))


def _from_data(text: str) -> bytes:
    """Base64 of either alphabet, with or without padding, with `+` that a query turned into a space."""
    text = text.translate(_URL_SAFE).rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        raise SenderError("data is not base64.", field="data") from None


def _nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Pairs with dot paths as nested objects of strings.

    The last of equal names wins, but text never takes the place of an object. A path of more than 20 steps, or through
    what is not an object, keeps its dots.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        *steps, last = name.split(".") if name.count(".") < _MAX_STEPS else [name]
        place = _walk(root, steps)
        if place is None or isinstance(place.get(last), dict):
            place, last = root, name
        if not isinstance(place.get(last), dict):
            place[last] = value
    return root


def _walk(root: dict[str, Any], steps: list[str]) -> dict[str, Any] | None:
    place = root
    for step in steps:
        below = place.setdefault(step, {})
        if not isinstance(below, dict):
            return None
        place = cast("dict[str, Any]", below)
    return place
