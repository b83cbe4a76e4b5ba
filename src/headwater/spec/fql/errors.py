"""What is wrong with a query, and where."""

from __future__ import annotations

from headwater.spec.errors import SenderError


class FqlError(SenderError):
    """The query cannot be used as it is written.

    `sentence` says what was expected, and `position` is the offset in the text, from 0.
    """

    def __init__(self, sentence: str, position: int) -> None:
        self.sentence = sentence
        self.position = position
        super().__init__(f"At character {position + 1}: {sentence}.", code="invalid_fql")
