"""Asking a process on this machine whether it is ready (app/health.py)."""

from __future__ import annotations

import http.client
from contextlib import closing

import msgspec

_SECONDS = 5.0
_MOST_BYTES = 64_000


class _Told(msgspec.Struct, rename="camel"):
    waiting_for: dict[str, str] = {}


def readiness(host: str, port: int) -> dict[str, str] | None:
    """What the process there waits for, by part; empty when it is ready, None when nobody answers."""
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=_SECONDS)) as connection:
            connection.request("GET", "/ready")
            answer = connection.getresponse().read(_MOST_BYTES)
        return msgspec.json.decode(answer, type=_Told).waiting_for
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
