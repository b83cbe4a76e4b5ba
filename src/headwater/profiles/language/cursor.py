"""A place in the tokens of a query, and what is said when something else was expected there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn

from headwater.profiles.language.errors import QueryError
from headwater.profiles.language.lexer import Token, tokens
from headwater.profiles.language.tree import Place
from headwater.profiles.language.words import EXTRACTORS

_SHOWN = 24
_LIKENESS = 0.7


class Cursor:
    """Stands at a token and moves on. What is refused is refused at the token where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._last = ""
        """What was read last, as a sentence names it."""

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    @property
    def _place(self) -> Place:
        return Place(self._here.start)

    def _move(self) -> None:
        self._at += 1

    def _is(self, text: str) -> bool:
        return self._here.text == text and self._here.kind in ("word", "symbol")

    def _take(self, text: str) -> bool:
        if found := self._is(text):
            self._move()
        return found

    def _expect(self, text: str, expected: str) -> None:
        if not self._take(text):
            self._refuse(f"{expected} is expected here")

    def _opened(self, name: Token) -> None:
        self._move()
        self._expect("(", f"after `{name.text}` an opening parenthesis")

    def _closed(self) -> None:
        self._expect(")", "a closing parenthesis")

    def _said(self, name: Token) -> str:
        """The call that ends before this token, as a sentence names it."""
        written = self._text[name.start : self._tokens[self._at - 1].end]
        return f"`{written}`" if len(written) <= _SHOWN and "\n" not in written else f"`{name.text}(...)`"

    def _refuse(self, sentence: str) -> NoReturn:
        raise QueryError(sentence, self._text, self._here.start)

    def _wants_comparison(self) -> str:
        return f"after {self._last} a comparison is expected, such as `>= 1`"

    def _known(self, name: Token, names: Iterable[str], *, after: str) -> None:
        names = tuple(names)
        if name.text in names:
            return
        close = get_close_matches(name.text[:_SHOWN], names, n=1, cutoff=_LIKENESS)
        hint = f"did you mean `{close[0]}`?" if close else f"{after} may be followed by {', '.join(names)}"
        self._refuse(f"`{name.text[:_SHOWN]}` cannot follow {self._last}; {hint}")

    def _refuse_start(self, token: Token) -> NoReturn:
        close = get_close_matches(token.text[:_SHOWN], EXTRACTORS, n=1) if token.kind == "word" else []
        if close:
            self._refuse(f"`{token.text[:_SHOWN]}` is no extractor; did you mean `{close[0]}`?")
        if token.kind in ("string", "number", "date"):
            self._refuse("a value cannot stand first; begin with event('...') or trait('...'), or write literal(...)")
        after = f"after {self._last} an" if self._last else "an"
        self._refuse(f"{after} expression is expected, such as event('Order Completed') or trait('plan')")
