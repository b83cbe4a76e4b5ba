"""JSON as clients really send it.

`msgspec` reads what is JSON. Official clients also send what is nearly JSON: Python writes NaN and Infinity as bare
words, several write lone surrogates (`"\\ud800"`), some proxies add a byte order mark (contract: clients 1.8). Refusing
these would lose a whole batch for one property, so they are read once more, slowly, and mended: a number that is not
one becomes null, a lone surrogate becomes U+FFFD. A whole number keeps all its digits.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar, cast

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.limits import MAX_DEPTH

JSON = Any
"""Untyped JSON: None, bool, int, float, str, list of JSON or dict of str to JSON."""

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"
_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder()
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or one that never ends: if that were no match it would be sought again from each quote in it."""

_OPENING = b"{["
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")


def encode(value: Any) -> bytes:
    """Write JSON in UTF-8. A lone surrogate, which has no UTF-8 form, is written as U+FFFD."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_mend(value, 0))


def decode(body: bytes) -> JSON:
    """Read JSON, mending what clients get wrong. Raises SenderError for what no reading makes JSON."""
    return decode_as(body, _any)


def decode_as(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Read JSON with a typed decoder, mending what clients get wrong.

    Raises SenderError when the body is not JSON, and msgspec.ValidationError when it is JSON of another
    shape than the decoder's.
    """
    try:
        if not body.isascii():
            body.decode()
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "out of range" not in str(error):
            raise
        return decoder.decode(mend(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decoder.decode(mend(body))


def mend(body: bytes) -> bytes:
    """The same value as proper JSON. Raises SenderError when it cannot be read at all."""
    try:
        text = body.removeprefix(_BOM).decode()
        value = json.loads(text, parse_constant=lambda word: None)
        return _encode(_mend(value, 0))
    except UnicodeDecodeError as error:
        raise SenderError(f"The body is not UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise SenderError(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except (RecursionError, ValueError):
        raise SenderError(
            f"The JSON is nested deeper than {MAX_DEPTH} levels or holds a number of absurd length."
        ) from None


def _mend(value: JSON, depth: int) -> JSON:
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        items = cast("dict[str, JSON]", value).items()
        return {_mend(key, depth): _mend(item, depth + 1) for key, item in items}
    if isinstance(value, list):
        return [_mend(item, depth + 1) for item in cast("list[JSON]", value)]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def too_deep(body: bytes) -> bool:
    """True when brackets outside strings nest deeper than MAX_DEPTH. Costs two counts for an ordinary message."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > MAX_DEPTH:
            return True
    return False
