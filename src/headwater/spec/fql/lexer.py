"""From text to tokens, one pass without going back."""

from __future__ import annotations

import re
from typing import Final
from typing import Literal as OneOf

import msgspec

from headwater.spec.fql.errors import FqlError
from headwater.spec.fql.paths import split

MAX_BYTES: Final = 5 * 1024
"""A query in bytes of UTF-8 (6.5)."""

WORDS: Final = frozenset(("and", "or", "in", "true", "false", "null"))
"""Names that are fields only with a backslash before them."""

_MAX_NUMBER_CHARS: Final = 40
_LARGEST_NUMBER: Final = 1e30
_SHOWN: Final = 24
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>'[^']*'|"[^"]*")
    |(?P<run>\+?(?:[A-Za-z0-9_.\-]|\\.)+)
    |(?P<symbol>!=|>=|<=|==|[=<>!()\[\],])""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
LIKE_A_NUMBER: Final = re.compile(r"\+|-?[0-9]")
"""How a name must not begin, unless the first character has a backslash before it."""


class Token(msgspec.Struct, frozen=True):
    """One word, path, text, number or symbol. `text` is as it was written; `value` is a text's or number's own."""

    kind: OneOf["word", "path", "string", "number", "symbol", "end"]
    text: str
    start: int
    value: str | float = ""
    parts: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The token as a sentence names it."""
        if self.kind == "end":
            return "the end"
        return f"`{self.text}`" if len(self.text) <= _SHOWN else f"`{self.text[:_SHOWN]}...`"


def tokens(text: str) -> list[Token]:
    """All tokens, the last of which is the end. Raises FqlError."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FqlError(f"the query is longer than {MAX_BYTES:,} bytes", min(len(text), MAX_BYTES))
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FqlError(_meaningless(text, at), at)
        kind, written = match.lastgroup, match[0]
        if kind == "string":
            found.append(Token("string", written, at, written[1:-1]))
        elif kind == "run":
            found.append(_run(written, at))
        elif written == "==":
            raise FqlError("a single `=` compares", at)
        elif kind == "symbol":
            found.append(Token("symbol", written, at))
        at = match.end()
    found.append(Token("end", "", len(text.rstrip())))
    return found


def _run(written: str, at: int) -> Token:
    """A word, a number or a path."""
    if written in WORDS:
        return Token("word", written, at)
    if _NUMBER.fullmatch(written):
        value = float(written) if "." in written else int(written[:_MAX_NUMBER_CHARS])
        if len(written) > _MAX_NUMBER_CHARS or abs(value) > _LARGEST_NUMBER:
            raise FqlError("this number has too many digits", at)
        return Token("number", written, at, value)
    token = Token("path", written, at, parts=split(written))
    if LIKE_A_NUMBER.match(written):
        raise FqlError(f"{token.shown} is no number; a field that begins so has a backslash before it", at)
    if not all(token.parts):
        raise FqlError(f"a name is missing beside a dot of {token.shown}", at)
    return token


def _meaningless(text: str, at: int) -> str:
    sign = text[at]
    if sign in "'\"":
        return f"this text has no end; a closing {sign} is expected"
    if sign == "\\":
        return "a character is expected after the backslash"
    if sign in "&|":
        return "write `and` or `or`"
    shown = sign if sign.isprintable() else f"\\u{ord(sign):04x}"
    return f"`{shown}` means nothing here; text stands in quotes, and in a field's name it needs a backslash before it"
