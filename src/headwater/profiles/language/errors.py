"""What is wrong with a query, and where: a sentence, a line, a column and an excerpt with a caret."""

from __future__ import annotations

from headwater.spec.errors import SenderError

_BEFORE = 60
_AFTER = 50


class QueryError(SenderError):
    """The query cannot be used as it is written.

    `sentence` says what was expected, `position` is the offset in the text from 0, `line` and `column` count from 1,
    and `excerpt` is the line around the place with a caret under it.
    """

    def __init__(self, sentence: str, text: str, position: int) -> None:
        self.sentence = sentence
        self.position = min(position, len(text))
        start = text.rfind("\n", 0, self.position) + 1
        self.line = text.count("\n", 0, self.position) + 1
        self.column = self.position - start + 1
        self.excerpt = _excerpt(text, start, self.position)
        super().__init__(
            f"Line {self.line}, column {self.column}: {sentence}\n{self.excerpt}", code="invalid_query", field="query"
        )


def _excerpt(text: str, start: int, position: int) -> str:
    """The line that begins at `start`, cut to what stands around the position, and a caret below it."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    first, last = max(start, position - _BEFORE), min(end, position + _AFTER)
    head, tail = "..." if first > start else "", "..." if last < end else ""
    # Only spaces keep the caret under its place.
    shown = "".join(sign if sign.isprintable() else " " for sign in text[first:last])
    return f"  {head}{shown}{tail}\n  {' ' * (len(head) + position - first)}^"
