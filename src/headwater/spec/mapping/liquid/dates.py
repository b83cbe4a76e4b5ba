"""Moments in templates: what is read as one, and how it is written. Everything is in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from headwater.spec.mapping.liquid.values import written
from headwater.spec.mapping.values import UNDEFINED
from headwater.spec.timestamps import parse_moment

FORMAT: Final = "%A, %B %-e, %Y at %-l:%M %P %z"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVE: Final = re.compile(r"%([-_0^#:]*)(\d{0,4})[EO]?(.)", re.DOTALL | re.ASCII)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
_PADDED: Final = {"Y": 4, "j": 3, "L": 3} | dict.fromkeys("CdeHIklmMSUWy", 2)
_WITH_SPACES: Final = frozenset("aAbBceklpP")
_MOST: Final = 1_000


def read(value: Any) -> datetime | None:
    """The moment: a number of seconds, or a text of one, of ISO 8601 or of RFC 2822. None if it is none."""
    if isinstance(value, bool):
        return _EPOCH + timedelta(milliseconds=value)
    if not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        moment = parse_moment(value)
        if moment is not None:
            return _EPOCH + timedelta(milliseconds=moment)
        try:
            return parsedate_to_datetime(value[:64]).astimezone(UTC) if len(value) <= 64 else None
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        return _EPOCH + timedelta(seconds=float(value))
    except (OverflowError, ValueError):
        return None


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _week(at: datetime, first: int) -> int:
    since = (at.isoweekday() - first) % 7
    return (at.timetuple().tm_yday - 1 - since + 7) // 7


_WRITERS: Final[dict[str, Callable[[datetime], Any]]] = {
    "a": lambda at: _DAYS[at.weekday()][:3],
    "A": lambda at: _DAYS[at.weekday()],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "c": lambda at: f"{_date(at)}, {_time(at)}",
    "C": lambda at: at.year // 100,
    "d": lambda at: at.day,
    "e": lambda at: at.day,
    "H": lambda at: at.hour,
    "I": lambda at: at.hour % 12 or 12,
    "j": lambda at: at.timetuple().tm_yday,
    "k": lambda at: at.hour,
    "l": lambda at: at.hour % 12 or 12,
    "L": lambda at: at.microsecond // 1000,
    "m": lambda at: at.month,
    "M": lambda at: at.minute,
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm",
    "q": lambda at: _ordinal(at.day),
    "s": lambda at: (at - _EPOCH) // timedelta(seconds=1),
    "S": lambda at: at.second,
    "u": lambda at: at.isoweekday(),
    "U": lambda at: _week(at, 7),
    "w": lambda at: at.isoweekday() % 7,
    "W": lambda at: _week(at, 1),
    "x": lambda at: _date(at),
    "X": lambda at: _time(at),
    "y": lambda at: at.year % 100,
    "Y": lambda at: at.year,
    "t": lambda at: "\t",
    "n": lambda at: "\n",
    "%": lambda at: "%",
}


def _date(at: datetime) -> str:
    return f"{at.month}/{at.day}/{at.year}"


def _time(at: datetime) -> str:
    return f"{at.hour % 12 or 12}:{at.minute:02}:{at.second:02} {'AM' if at.hour < 12 else 'PM'}"


def write(at: datetime, form: str) -> str:
    """The moment in a form of strftime: `%Y-%m-%d`, `%-l` without padding, `%^a` in capitals, `%3N` thousandths."""

    def one(found: re.Match[str]) -> str:
        flags, width, sign = found.groups()
        if sign in "zZ":
            made: Any = "+00:00" if ":" in flags else "+0000"
        elif sign == "N":
            most = min(int(width or 9) or 9, _MOST)
            made = f"{at.microsecond // 1000:03}"[:most].ljust(most, "0")
        elif sign not in _WRITERS:
            return found[0]
        else:
            made = _WRITERS[sign](at)
        return _padded(str(made), flags, min(int(width or 0), _MOST), sign)

    return _DIRECTIVE.sub(one, form)


def _padded(made: str, flags: str, width: int, sign: str) -> str:
    if "^" in flags:
        made = made.upper()
    elif "#" in flags:
        made = made.upper() if any("a" <= each <= "z" for each in made) else made.lower()
    pad = " " if "_" in flags or (sign in _WITH_SPACES and "0" not in flags) else "0"
    return made if "-" in flags else made.rjust(width or _PADDED.get(sign, 0), pad)


def _date_filter(value: Any, form: Any = UNDEFINED) -> Any:
    at = read(value)
    if at is None:
        return value
    return write(at, FORMAT if form is None or form is UNDEFINED else written(form))


def _always(form: str) -> Callable[[Any], Any]:
    return lambda value: value if (at := read(value)) is None else write(at, form)


def _spelled(month: str) -> Callable[..., Any]:
    def apply(value: Any, kind: Any = UNDEFINED, style: Any = UNDEFINED) -> Any:
        at = read(value)
        if at is None:
            return value
        if kind == "ordinal":
            return write(at, f"{month} %-d%q, %Y" if style == "US" else f"%-d%q {month} %Y")
        return write(at, f"%d {month} %Y")

    return apply


DATES: Final[dict[str, Callable[..., Any]]] = {
    "date": _date_filter,
    "date_to_xmlschema": _always("%Y-%m-%dT%H:%M:%S%:z"),
    "date_to_rfc822": _always("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": _spelled("%b"),
    "date_to_long_string": _spelled("%B"),
}
"""The filters of moments."""
