"""The catalogue: one file a destination; the folder is the list and the file's name is the slug.

A file declares `definition`, a DestinationDefinition, and holds what its action does as a pure generator of requests:
what comes in are the owner's settings and the events due, what goes out are requests and, at the end, which items
failed. It promises that the same events lead to the same requests, so that a failed delivery can be repeated. It
refuses all I/O, and to know of retries, time, batching or logs; deliver has these once for all.

A file is imported when it is first asked for, so a process holds only what its workspace uses.
"""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module

from headwater.spec.destination import DestinationDefinition, Field
from headwater.spec.errors import SetupError

HORIZON_HOURS = Field(
    key="horizon_hours",
    label="Retry for (hours)",
    description="How long a failing delivery is tried again, at most 720 hours; empty for the house's setting.",
    type="number",
)
COMMON_FIELDS: tuple[Field, ...] = (HORIZON_HOURS,)
"""Settings that every destination has beside its own."""


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The slugs of all destinations, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@lru_cache(maxsize=256)
def definition(slug: str) -> DestinationDefinition:
    """The declaration of one destination. Raises SetupError when the catalogue has none of that name."""
    if slug not in names():
        raise SetupError(f"The catalogue has no destination {slug!r}; it has {', '.join(names())}.")
    return import_module(f"{__name__}.{slug}").definition
