"""The catalogue: one file a destination of our own, beside those of Segment's that `headwater.catalogue` has built.

The folder is the list of our own, and a file's name is the slug. A file declares `definition`, a DestinationDefinition,
and holds what its actions do as pure generators of requests: what comes in are the owner's settings and the events due,
what goes out are requests and, at the end, which items failed. It promises that the same events lead to the same
requests, so that a failed delivery can be repeated. It refuses all I/O, and to know of retries, time, batching or logs;
deliver has these once for all. Only what does not speak HTTP declares a writer, which opens its own connection.

A definition is read when it is first asked for, so a process holds only what its workspace uses.
"""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module
from typing import Any

from headwater import catalogue
from headwater.catalogue import Summary
from headwater.spec.destination import DestinationDefinition, Field
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES

HORIZON_HOURS = Field(
    key="horizon_hours",
    label="Retry for (hours)",
    description="How long a failing delivery is tried again, at most 720 hours; empty for the house's setting.",
    type="number",
)
COMMON_FIELDS: tuple[Field, ...] = (HORIZON_HOURS,)
"""Settings that every destination has beside its own."""


@lru_cache(maxsize=1)
def own_names() -> tuple[str, ...]:
    """The slugs of our own destinations, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg))


def names() -> tuple[str, ...]:
    """The slugs of all destinations: our own first, then those of the catalogue that is built here."""
    return own_names() + catalogue.names()


def known(slug: str) -> bool:
    """Is there a destination of that slug?"""
    return slug in own_names() or slug in catalogue.names()


def definition(slug: str) -> DestinationDefinition:
    """The declaration of one destination. Raises SetupError when there is none of that slug.

    While the catalogue is not built, what is not ours is taken for one of its destinations, whose settings cannot work:
    so its events are kept as failed, with the reason, and can be sent again.
    """
    if slug in own_names():
        return _own(slug)
    if missing := catalogue.missing():
        return absent(slug, missing)
    return catalogue.definition(slug)


def summaries() -> tuple[Summary, ...]:
    """What a list shows of each destination, in the order of `names`; cheap beside reading all definitions."""
    return tuple(_summary(slug) for slug in own_names()) + catalogue.summaries()


@lru_cache(maxsize=256)
def _own(slug: str) -> DestinationDefinition:
    return import_module(f"{__name__}.{slug}").definition


@lru_cache(maxsize=64)
def _summary(slug: str) -> Summary:
    declared = _own(slug)
    return Summary(
        slug=slug,
        name=declared.name,
        description=declared.description,
        categories=declared.categories,
        authentication=declared.authentication,
        direct=False,
        audience=bool(declared.audience),
        actions=len(declared.actions) or 1,
        presets=len(declared.presets),
    )


def absent(slug: str, why: str) -> DestinationDefinition:
    """The declaration of a destination that cannot be read, whose settings cannot work: `why` says what it lacks."""

    def check(settings: dict[str, Any]) -> None:
        raise SetupError(why)

    return DestinationDefinition(
        name=slug,
        description="This destination cannot be read here.",
        website="",
        categories=(),
        fields=(),
        event_types=EVENT_TYPES,
        check=check,
        worker=True,
    )
