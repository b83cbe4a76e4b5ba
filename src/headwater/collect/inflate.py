"""Decompression with a bound, so that a small body cannot become a large one (contract: connections 1.4, 1.5)."""

from __future__ import annotations

import zlib

from headwater.spec.errors import SenderError

_GZIP = 16 + zlib.MAX_WBITS


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before Content-Encoding. Nothing beyond `limit` bytes is ever inflated.

    Raises SenderError for an encoding that is not gzip, for what is not whole gzip, and for what exceeds the limit.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise SenderError(f"Content-Encoding {encoding[:40]!r} is not supported; send gzip or none.")
    plain = bytearray()
    rest = body
    try:
        while rest:
            member = zlib.decompressobj(_GZIP)
            plain += member.decompress(rest, limit + 1 - len(plain))
            if len(plain) > limit:
                raise too_large(limit)
            if not member.eof:
                raise SenderError("The gzip body is cut off.")
            rest = member.unused_data.lstrip(b"\0")
    except zlib.error:
        raise SenderError("The body is not gzip although Content-Encoding says so.") from None
    return bytes(plain)


def too_large(limit: int) -> SenderError:
    """The error for a body beyond its limit (1.5)."""
    return SenderError(
        f"The message is too large: it exceeds the payload limit of {limit} bytes.", code="message_too_large"
    )
