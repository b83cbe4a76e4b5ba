"""The shapes of the house on one machine: which roles share a process.

In walking order, which is also the order in which processes are told to stop.
"""

from __future__ import annotations

from typing import Final

import msgspec

ROLE_NAMES: Final = ("collect", "pipeline", "deliver", "warehouse", "profiles", "manage")

EMBEDDED: Final[tuple[tuple[str, ...], ...]] = (
    ("collect",),
    ("pipeline", "deliver"),
    ("warehouse",),
    ("profiles", "manage"),
)
"""A process for what senders wait for, for what destinations wait for, for heavy loads, and for what people ask.

Profiles are with what people ask, so that folding them holds up no delivery.
"""

SPREAD: Final[tuple[tuple[str, ...], ...]] = tuple((role,) for role in ROLE_NAMES)
"""One process a role."""


AWAY: Final = 75
"""The status of a process that could not prepare the house for now (sysexits.h: try again later)."""


class FirstStart(msgspec.Struct, frozen=True):
    """What the first start made, to be shown once."""

    write_key: str
    admin_token: str
