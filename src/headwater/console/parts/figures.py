"""Numbers and moments as people read them. Pure: the moment of now is given."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater.spec.timestamps import parse_moment

_BYTES = ("B", "KB", "MB", "GB", "TB", "PB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def count(events: int) -> str:
    """A whole number with its thousands set apart, such as `12,345`."""
    return f"{events:,}"


def short_count(events: int) -> str:
    """A number in at most five characters, such as `12.3k`."""
    for limit, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if abs(events) >= limit:
            size = events / (1_000 if unit == "k" else limit)
            return f"{size:.1f}{unit}" if size < 100 else f"{size:.0f}{unit}"
    return f"{events:,}"


def size(number: int) -> str:
    """A number of bytes, such as `12.3 MB` (1 MB is 1,000,000 bytes)."""
    value = float(number)
    for unit in _BYTES[:-1]:
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} {_BYTES[-1]}"


def duration(milliseconds: float | None) -> str:
    """A length of time, such as `24 ms`, `1.3 s` or `5 min`; a dash when there is none."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    return f"{seconds:.1f} s" if seconds < 60 else span(seconds)


def span(seconds: float) -> str:
    """A length of time in its largest unit, such as `3 h`."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "0 s"


def percent(part: int, whole: int) -> str:
    """A share, such as `12.5 %`; a dash of nothing."""
    if whole <= 0:
        return "–"
    share = 100 * part / whole
    return f"{share:.0f} %" if share in (0, 100) else f"{min(max(share, 0.1), 99.9):.1f} %"


def zone_of(name: str) -> tzinfo:
    """The time zone of that name; UTC for one that is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def moment_html(at: str | int | None, zone: str, *, date: bool = True) -> str:
    """A moment (ISO 8601, or milliseconds since 1970) in the viewer's zone, with UTC on hover; a dash for none."""
    milliseconds = parse_moment(at) if isinstance(at, str) else at
    if milliseconds is None:
        return "–"
    instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
    shown = instant.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
    utc = instant.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03d} UTC"
    return f'<time datetime="{instant.isoformat()}" title="{utc}">{shown}</time>'


def ago_html(at: str | int | None, now: int, zone: str) -> str:
    """How long ago a moment was, with the moment itself on hover; `never` for none."""
    milliseconds = parse_moment(at) if isinstance(at, str) else at
    if milliseconds is None:
        return "never"
    passed = (now - milliseconds) / 1000
    return _hovered(milliseconds, zone, "just now" if passed < 1 else f"{span(passed)} ago")


def in_html(at: str | int | None, now: int, zone: str) -> str:
    """How long until a moment, with the moment itself on hover; `now` for one that has passed, a dash for none."""
    milliseconds = parse_moment(at) if isinstance(at, str) else at
    if milliseconds is None:
        return "–"
    left = (milliseconds - now) / 1000
    return _hovered(milliseconds, zone, "now" if left < 1 else f"in {span(left)}")


def _hovered(milliseconds: int, zone: str, text: str) -> str:
    """A text about a moment, which stands on hover in the viewer's zone and in UTC."""
    instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
    local = instant.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M:%S")
    title = escape(f"{local} ({instant.strftime('%H:%M:%S')} UTC)")
    return f'<time datetime="{instant.isoformat()}" title="{title}">{text}</time>'


def typed_moment(text: str | None) -> str | None:
    """What was typed as a date and a time, in UTC, as operations take it; None for nothing."""
    if not text:
        return None
    return f"{text}{':00' if len(text) == len('2026-01-31T12:00') else ''}Z"
