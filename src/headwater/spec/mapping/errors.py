"""What is wrong with a mapping, and why an event cannot be mapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from headwater.spec.errors import HeadwaterError, SenderError

_SHOWN: Final = 50
TOO_LONG: Final = "makes more text than a mapping may"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong. `path` leads to it from the top of the mapping, as in `/email/@if/then`."""

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path} {self.sentence}."


class MappingError(SenderError):
    """The mapping cannot be used as it is written; `problems` are all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        more = len(self.problems) - _SHOWN
        shown = [*map(str, self.problems[:_SHOWN]), *([f"There are {more:,} more problems."] if more > 0 else [])]
        super().__init__(" ".join(shown), code="invalid_mapping")


class MappingFailed(HeadwaterError):
    """The mapping cannot make anything of this event; trying again will not help.

    `sentence` says what happened, and `path` where in the mapping.
    """

    def __init__(self, sentence: str, path: str = "") -> None:
        self.sentence = sentence
        self.path = path
        super().__init__(f"{path or '/'} {sentence}.")
