"""What a question is asked of: a profile's state and traits at an instant, and the event that is being looked at.

Whoever answers a question that time alone may answer otherwise notes when. Only what was asked can have mattered, so
the earliest note is when the whole answer may change.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Here(msgspec.Struct):
    """Changes while a query is answered: `entry` and `parent` are the event looked at and the one around it."""

    state: Any
    traits: dict[str, Any]
    now: int
    due: int | None = None
    entry: Any = None
    parent: Any = None

    def note(self, instant: int) -> None:
        """The answer just given may be another at this instant, which lies after now."""
        if self.due is None or instant < self.due:
            self.due = instant
