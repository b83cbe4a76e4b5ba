"""The formats that fields of actions may have, as the schema library of the actions reads them (6.11)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from headwater.spec.mapping.values import SPACES
from headwater.spec.payload.dates import is_date

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[zZ]|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_BETWEEN: Final = re.compile(f"[tT{SPACES}]")
_UUID: Final = re.compile("(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_LOCAL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-")
_LABEL: Final = re.compile("[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)


def _address(pattern: str, quote: str) -> re.Pattern[str]:
    """The grammar of RFC 3986; `quote` is one more sign that it allows."""
    parts = {
        "SCHEME": r"[a-z][a-z0-9+\-.]*+:",
        "OWNER": r"(?:(?:[a-z0-9\-._~!$&'()*+,;=:]|%[0-9a-f]{2})*+@)?",
        "HOST": rf"(?P<host>\[[^\]]*+\]|(?:[a-z0-9\-._~!$&'{quote}()*+,;=]|%[0-9a-f]{{2}})*+)",
        "SEGMENT": r"(?:SIGN|%[0-9a-f]{2})*+",
        "REST": r"(?:\?(?:SIGN|[/?]|%[0-9a-f]{2})*+)?(?:#(?:SIGN|[/?]|%[0-9a-f]{2})*+)?",
        "END": r"[/?#]|\Z",
        "SIGN": rf"[a-z0-9\-._~!$&'{quote}()*+,;=:@]",
    }
    for name, part in parts.items():
        pattern = pattern.replace(name, part)
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


_HIERARCHY: Final = (
    r"(?://?OWNERHOST(?::\d*+)?(?=END)(?:/SEGMENT)*+|/(?:(?!/)SEGMENT(?:/SEGMENT)*+)?|(?!END)SEGMENT(?:/SEGMENT)*+)"
)
_ADDRESS: Final = _address(f"SCHEME{_HIERARCHY}REST", "")
_REFERENCE: Final = _address(f"(?:SCHEME)?{_HIERARCHY}?REST", '"')
_FUTURE: Final = re.compile(r"v[0-9a-f]+\.[a-z0-9\-._~!$&'()*+,;=:]+", re.ASCII | re.IGNORECASE)


def is_day(text: str) -> bool:
    """`2024-02-29`, on days that there are."""
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] + leap


def is_time(text: str) -> bool:
    """`10:20:30.5Z`; an offset may be missing, and the last second of a day may be a leap second."""
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    hour, minute, second = map(int, found.groups())
    return (hour <= 23 and minute <= 59 and second <= 59) or (hour, minute, second) == (23, 59, 60)


def is_moment(text: str) -> bool:
    """A day and a time, with T or a space between them."""
    parts = _BETWEEN.split(text)
    return len(parts) == 2 and is_day(parts[0]) and is_time(parts[1])


def is_email(text: str) -> bool:
    """Words with dots, @, and at least two labels of a domain."""
    local, at, domain = text.partition("@")
    labels = domain.split(".")
    words = local.split(".")
    return (
        bool(at) and all(word and _LOCAL.issuperset(word) for word in words) and len(labels) > 1 and _are_labels(labels)
    )


def _are_labels(labels: list[str]) -> bool:
    return all(_LABEL.fullmatch(label) for label in labels)


def is_host(text: str) -> bool:
    """Labels of at most 63 characters with dots; one more dot may be at the end."""
    bare = text.removesuffix(".")
    labels = bare.split(".")
    return 1 <= len(bare) <= 253 and all(len(label) < 64 for label in labels) and _are_labels(labels)


def is_ipv4(text: str) -> bool:
    """Four numbers up to 255, of at most three digits."""
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts
    )


def is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """A URI with its scheme (RFC 3986); of an authority, one slash before it is enough."""
    return _has_host(_ADDRESS.fullmatch(text))


def is_reference(text: str) -> bool:
    """A URI, or a part of one that is relative to another, even an empty one."""
    return _has_host(_REFERENCE.fullmatch(text))


def _has_host(found: re.Match[str] | None) -> bool:
    if found is None:
        return False
    host = found["host"] or ""
    return not host.startswith("[") or is_ipv6(host[1:-1]) or _FUTURE.fullmatch(host[1:-1]) is not None


def _anything(text: str) -> bool:
    return True


FORMATS: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "date": (is_day, "a date like 2024-03-05"),
    "date-like": (is_date, "a date"),
    "date-time": (is_moment, "a moment like 2024-03-05T10:20:30Z"),
    "email": (is_email, "an email address"),
    "hostname": (is_host, "the name of a host"),
    "ipv4": (is_ipv4, "an IPv4 address"),
    "ipv6": (is_ipv6, "an IPv6 address"),
    "time": (is_time, "a time like 10:20:30"),
    "uri": (is_address, "a URL with its scheme"),
    "uri-reference": (is_reference, "a URL or a part of one"),
    "uuid": (is_uuid, "a UUID"),
}
"""Every format that is looked at, with the words for it. `password`, `text` and any other allow every text."""


def check(name: str) -> tuple[Callable[[str], bool], str]:
    """What the format asks of a text, and the words for it."""
    return FORMATS.get(name, (_anything, ""))
