"""Moments: parsing what clients send, writing what the house publishes, correcting a client's clock.

A moment is an integer: milliseconds since 1970-01-01 UTC. The wire form is `YYYY-MM-DDTHH:mm:ss.sssZ`
(contract: connections 2.2, 13.5).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

_ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    r"\s*(Z|z|[+-]\d\d:?\d\d|[+-]\d\d)?)?\s*",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
MIN_MOMENT = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
MAX_MOMENT = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_LONGEST = 64


def parse_moment(value: Any) -> int | None:
    """Read a timestamp as clients write it, or None when it is not one (the field is then ignored, 2.2).

    Accepts ISO-8601 with any number of fractional digits, an offset, no zone (read as UTC) or a date alone (midnight
    UTC). A number is not a timestamp here: whether it counts seconds or milliseconds cannot be known.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    if is_wire_form(value):
        return _of_wire_form(value)
    found = _ISO.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(zone)
        )
        milliseconds = int((moment - _EPOCH) / _MILLISECOND)
    except (ValueError, OverflowError):
        return None
    if fraction:
        milliseconds += int((fraction + "00")[:3])
    return milliseconds


def read_moment(value: Any) -> tuple[int | None, str]:
    """A moment as clients write it, and its wire form; None and an empty text for what is none."""
    if isinstance(value, str) and is_wire_form(value):
        moment = _of_wire_form(value)
        return (None, "") if moment is None else (moment, value)
    moment = parse_moment(value)
    return (None, "") if moment is None else (moment, format_moment(moment))


def is_wire_form(value: str) -> bool:
    """Is this text laid out as the house writes moments? It may still name a day that does not exist."""
    return (
        len(value) == 24
        and value[4] == value[7] == "-"
        and value[10] == "T"
        and value[11:13] != "24"
        and value[19] == "."
        and value[23] == "Z"
    )


def _of_wire_form(value: str) -> int | None:
    fraction = value[20:23]
    if value[13] == value[16] == ":" and fraction.isascii() and fraction.isdigit():
        second = _read_second(value[:19])
        return None if second is None else second * 1000 + int(fraction)
    return None


@lru_cache(maxsize=4096)
def _read_second(text: str) -> int | None:
    """Events come near to each other in time, so that few seconds are read."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def format_moment(moment: int) -> str:
    """Write a moment in the wire form. A moment outside the years 1 to 9999 is brought to the nearest end of them."""
    seconds, milliseconds = divmod(max(MIN_MOMENT, min(moment, MAX_MOMENT)), 1000)
    return f"{_format_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4096)
def _format_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def correct(original: int | None, sent: int | None, received: int) -> int:
    """When the event happened by the server's clock: `received - (sent - original)` (2.2).

    Without `sent` the client's clock is trusted; without `original` the event happened when it arrived.
    """
    if original is None:
        return received
    if sent is None:
        return original
    return received - (sent - original)
