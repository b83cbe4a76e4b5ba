"""The question before a single act, put when it is wanted and gone when it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from headwater.console.parts.confirm import confirm
from headwater.console.parts.pieces import attempt


def ask_first(question: str, about: str, word: str, work: Callable[[], Awaitable[Any]]) -> None:
    """Ask at once, and do the work if the button named `word` is pressed; a refusal is told."""
    dialog = confirm(question, about, word, attempt(work))
    dialog.on("hide", dialog.delete)
    dialog.open()
