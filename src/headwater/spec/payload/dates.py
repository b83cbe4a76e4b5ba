"""Which texts are dates, as widely as JavaScript reads them.

Actions check dates with a library that takes what looks like one by its digits, and asks JavaScript about the rest,
which reads ISO 8601 and, failing that, nearly anything with numbers in the places of a date: `March 7`, `3/7/24 5pm
PST`, `soon 2024`. Only whether it is a date matters here; the text goes on as it is (contract: connections 6.11).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final, NamedTuple

from headwater.spec.mapping.values import SPACES, number, number_text

_BY_DIGITS: Final = re.compile(
    rf"(\d{{4}})[-/]?(\d{{1,2}})?[-/]?(\d{{0,2}})[Tt{SPACES}]*(\d{{1,2}})?:?(\d{{1,2}})?:?(\d{{1,2}})?[.:]?(\d+)?",
    re.ASCII,
)
_COMMON: Final = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?Z", re.ASCII
)
_LAST_SECOND: Final = 8_640_000_000_000
_LAST_DAY: Final = 100_000_000
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES: Final = frozenset(("ut", "utc", "z", "gmt", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"))
_UTC: Final = frozenset(("ut", "utc", "z", "gmt"))
_SIGNIFICANT: Final = 9


def is_date(text: str) -> bool:
    """Is it a date, or a number of seconds written as JavaScript writes numbers?"""
    if _COMMON.fullmatch(text):
        return True
    value = number(text)
    if value == value and number_text(value) == text:
        return abs(value) <= _LAST_SECOND
    if text[-1:] not in ("Z", "z") and _BY_DIGITS.fullmatch(text):
        return True
    return _Reading(text).holds()


class Kind(Enum):
    """What a piece of a text is."""

    NUMBER = auto()
    SIGN = auto()
    WORD = auto()
    SPACE = auto()
    OTHER = auto()
    END = auto()


class Piece(NamedTuple):
    """A piece of a text: a number with its digits, one of `:-+.)`, or the first letters of a word with its length."""

    kind: Kind
    text: str = ""
    value: int = 0

    def fixed(self, digits: int, low: int = 0, high: int = 999_999_999) -> bool:
        """Is it a number of so many digits, from `low` to `high`?"""
        return self.kind is Kind.NUMBER and len(self.text) == digits and low <= self.value <= high

    def signs(self) -> bool:
        return self.text in ("+", "-")


END: Final = Piece(Kind.END)


def _pieces(text: str) -> list[Piece]:
    """The pieces of a text, up to a NUL. What stands in parentheses is one."""
    pieces: list[Piece] = []
    text = text.partition("\0")[0]
    at = 0
    while at < len(text):
        start, sign = at, text[at]
        at += 1
        if "0" <= sign <= "9":
            while at < len(text) and "0" <= text[at] <= "9":
                at += 1
            digits = text[start:at]
            pieces.append(Piece(Kind.NUMBER, digits, int(digits.lstrip("0")[:_SIGNIFICANT] or 0)))
        elif sign in ":-+.)":
            pieces.append(Piece(Kind.SIGN, sign))
        elif sign in SPACES:
            pieces.append(Piece(Kind.SPACE))
        elif sign >= "A":
            while at < len(text) and text[at] >= "A" and text[at] not in SPACES:
                at += 1
            pieces.append(Piece(Kind.WORD, text[start : min(at, start + 3)].lower(), at - start))
        else:
            at = _after_parentheses(text, start) if sign == "(" else at
            pieces.append(Piece(Kind.OTHER))
    return pieces


def _after_parentheses(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            break
    return at


def _thousandths(piece: Piece) -> int:
    """The digits after a point as thousandths."""
    digits = min(len(piece.text), _SIGNIFICANT)
    return piece.value * 10 ** (3 - digits) if digits < 3 else piece.value // 10 ** (digits - 3)


class _Reading:
    """A text on its way to being a date: the numbers found so far, by what they stand for."""

    def __init__(self, text: str) -> None:
        self.pieces = [*_pieces(text), END, END]
        self.at = 0
        self.day: list[int] = []
        self.month = 0
        self.time: list[int] = []
        self.half_day = False
        self.zone_hour: int | None = None
        self.zone_minute: int | None = None
        self.iso = False

    def holds(self) -> bool:
        """Is the text a date?"""
        found = self._iso()
        return found is not None and self._anyhow(found) and self._is_day() and self._is_time()

    def _next(self) -> Piece:
        piece = self.pieces[self.at]
        self.at += piece is not END
        return piece

    @property
    def _peek(self) -> Piece:
        return self.pieces[self.at]

    def _skip(self, sign: str) -> bool:
        skipped = self._peek.kind is Kind.SIGN and self._peek.text == sign
        self.at += skipped
        return skipped

    def _take(self, into: list[int], digits: int, low: int, high: int) -> bool:
        taken = self._peek.fixed(digits, low, high)
        if taken:
            into.append(self._next().value)
        return taken

    # ISO 8601, as far as it goes: what it leaves over is read anyhow, but for what follows a T.

    def _iso(self) -> Piece | None:
        """The first piece that is not part of a date of ISO 8601; END if there is none, None if that is an error."""
        if self._peek.signs():
            sign = self._next()
            if not self._peek.fixed(6):
                return sign
            year = self._next().value
            if sign.text == "-" and year == 0:
                return sign
            self.day.append(-year if sign.text == "-" else year)
        elif not self._take(self.day, 4, 0, 9999):
            return self._next()
        if self._skip("-"):
            if not self._take(self.day, 2, 1, 12):
                return self._next()
            if self._skip("-") and not self._take(self.day, 2, 1, 31):
                return self._next()
        if not (self._peek.kind is Kind.WORD and self._peek.text == "t"):
            if self._peek is not END:
                return self._next()
        elif not self._iso_time():
            return None
        self.iso = True
        return END

    def _iso_time(self) -> bool:
        self._next()
        if not self._take(self.time, 2, 0, 24):
            return False
        midnight = self.time[0] == 24
        minutes = 0 if midnight else 59
        if not self._skip(":") or not self._take(self.time, 2, 0, minutes):
            return False
        if self._skip(":"):
            if not self._take(self.time, 2, 0, minutes):
                return False
            if self._skip("."):
                if self._peek.kind is not Kind.NUMBER or (midnight and self._peek.value > 0):
                    return False
                self._next()
        return self._iso_zone() and self._peek is END

    def _iso_zone(self) -> bool:
        if self._peek.kind is Kind.WORD and self._peek.text == "z":
            self._next()
        elif self._peek.signs():
            self._next()
            if self._peek.fixed(4):
                hour, minute = divmod(self._next().value, 100)
                return hour <= 23 and minute <= 59
            offset: list[int] = []
            return self._take(offset, 2, 0, 23) and self._skip(":") and self._take(offset, 2, 0, 59)
        return True

    # Anything else: numbers by what is beside them, words that mean something, and others before the first number.

    def _anyhow(self, piece: Piece) -> bool:
        read = bool(self.day)
        piece = self._next() if piece is END else piece
        while piece is not END:
            if piece.kind is Kind.NUMBER:
                fits, read = self._number(piece.value), True
            elif piece.kind is Kind.WORD:
                fits = self._word(piece, read=read)
            elif piece.signs() and (self.time or (self.zone_hour == 0 and self.zone_minute == 0)):
                fits, read = self._offset(), True
            else:
                fits = not (read and (piece.signs() or piece.text == ")"))
            if not fits:
                return False
            piece = self._next()
        return True

    def _number(self, value: int) -> bool:
        if self._skip(":"):
            if self._skip(":"):
                fits = not self.time
                self.time += [value, 0]
                return fits
            fits = self._add_time(value)
            self._skip(".")
            return fits
        if self._skip(".") and self._expects_time(value):
            self._add_time(value)
            if self._peek.kind is not Kind.NUMBER:
                return False
            self._end_time(_thousandths(self._next()))
            return True
        if self.zone_hour is not None and self.zone_minute is None and value <= 59:
            self.zone_minute = value
            return True
        if self._expects_time(value):
            self._end_time(value)
            after = self._peek
            return after is END or after.kind is Kind.SPACE or after.signs() or (after.text, after.value) == ("z", 1)
        if len(self.day) == 3:
            return False
        self.day.append(value)
        self._skip("-")
        return True

    def _expects_time(self, value: int) -> bool:
        """Can the next part of the time be this? Minutes and seconds are up to 59, thousandths up to 999."""
        return value <= {1: 59, 2: 59, 3: 999}.get(len(self.time), -1)

    def _add_time(self, value: int) -> bool:
        room = len(self.time) < 4
        if room:
            self.time.append(value)
        return room

    def _end_time(self, value: int) -> None:
        self.time = [*self.time, value, 0, 0, 0][:4]

    def _word(self, piece: Piece, *, read: bool) -> bool:
        word, whole = piece.text, piece.value <= 3
        if word in ("am", "pm") and whole and self.time:
            self.half_day = True
        elif word in _MONTHS:
            self.month = _MONTHS.index(word) + 1
            self._skip("-")
        elif word in _ZONES and whole and read:
            self.zone_hour = 0 if word in _UTC else 1
            self.zone_minute = 0
        else:
            return not read and self._peek.kind is not Kind.NUMBER
        return True

    def _offset(self) -> bool:
        piece = self._next() if self._peek.kind is Kind.NUMBER else Piece(Kind.NUMBER)
        if self._peek.kind is Kind.SIGN and self._peek.text == ":":
            self.zone_hour, self.zone_minute = piece.value, None
            return True
        if len(piece.text) in (1, 2):
            self.zone_hour, self.zone_minute = piece.value, 0
            return True
        self.zone_hour, self.zone_minute = divmod(piece.value, 100)
        return len(piece.text) in (3, 4)

    # What all that comes to.

    def _is_day(self) -> bool:
        if not self.day:
            return False
        first, second, third = [*self.day, 1, 1][:3]
        if self.month:
            month = self.month
            year, day = (second, first) if 1 <= first <= 31 else (first, second)
        elif self.iso or not 1 <= first <= 31:
            year, month, day = first, second, third
        else:
            month, day, year = first, second, third
        return 1 <= month <= 12 and 1 <= day <= 31 and self._in_reach(year, month, day)

    def _in_reach(self, year: int, month: int, day: int) -> bool:
        """Is it within a hundred million days of 1970?"""
        before = year - (month < 3)
        days = 365 * before + before // 4 - before // 100 + before // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day
        return abs(days - 719_469) <= _LAST_DAY

    def _is_time(self) -> bool:
        hour, minute, second, thousandth = [*self.time, 0, 0, 0, 0][:4]
        if self.half_day:
            if hour > 12:
                return False
            hour %= 12
        if (3600 * (self.zone_hour or 0) + 60 * (self.zone_minute or 0)) % 2**32 >= 2**31:
            return False
        late = (hour, minute, second, thousandth) == (24, 0, 0, 0)
        return late or (hour <= 23 and minute <= 59 and second <= 59 and thousandth <= 999)
