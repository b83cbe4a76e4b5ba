"""The catalogue of enrichments: one file each, the file's name is its name, the folder is the registry.

An enrichment adds facts to an event's context that follow from what the event says and from data on this machine. In
comes an Event whose `body["context"]` is an object; it is changed in place. Every enrichment promises:

- what the sender gave stays as it was; only what is missing or null is filled in;
- the same event gives the same facts: no clock, no network, no memory but a bounded cache of the same facts;
- it never raises, whatever JSON stands in the context, and looks at a bounded part of it.

To add one, write a file with a docstring and `definition = EnrichmentDefinition(...)`, and its cases in
`tests/cases/enrich/<name>.yaml`; `headwater.contracts.enrichments` holds every file here to these promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, cast

import msgspec

from headwater.spec.errors import SetupError
from headwater.spec.event import Event
from headwater.spec.settings import PipelineSettings
from headwater.spec.wire import JSON

Enrich = Callable[[Event], None]
Facts = dict[str, str | float]
Places = Callable[[str], Facts | None]


class Assets(msgspec.Struct, frozen=True):
    """What enrichments may rest on, opened once for all of them.

    `geoip` gives the facts of an address as text, or None for one it does not know (`open_geoip`).
    """

    geoip: Places | None = None


class EnrichmentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of the catalogue declares.

    `reads` are the fields that it looks at. `adds` are those that it may fill, each with a sentence. `after` names
    enrichments whose facts it reads. `build(assets)` prepares the function that is called with every event; it may
    open files and raises SetupError when it cannot.
    """

    name: str
    description: str
    reads: tuple[str, ...]
    adds: tuple[tuple[str, str], ...]
    after: tuple[str, ...] = ()
    build: Callable[[Assets], Enrich]


def names() -> list[str]:
    """Every enrichment there is, in alphabetical order."""
    return sorted(module.name for module in iter_modules(__path__))


def definition(name: str) -> EnrichmentDefinition:
    """The declaration of one enrichment. Raises SetupError for a name that the folder does not hold."""
    if name not in names():
        raise SetupError(f"There is no enrichment {name!r}; choose from {', '.join(names())}.")
    return import_module(f"{__name__}.{name}").definition


def in_order(chosen: Iterable[str]) -> list[EnrichmentDefinition]:
    """The declarations of the names chosen, each after those whose facts it reads.

    Raises SetupError for an unknown name. What an enrichment would like to come after need not be chosen.
    """
    waiting = {name: definition(name) for name in chosen}
    ordered: list[EnrichmentDefinition] = []
    while waiting:
        ready = [name for name, each in waiting.items() if waiting.keys().isdisjoint(each.after)]
        if not ready:
            raise SetupError(f"The enrichments {', '.join(waiting)} each wait for another.")
        ordered += [waiting.pop(name) for name in ready]
    return ordered


def prepare(settings: PipelineSettings) -> tuple[Enrich, ...]:
    """The functions to call with every event, in order, for the enrichments that the settings name.

    Opens what they rest on. Raises SetupError for an unknown name or a file that cannot be used.
    """
    chosen = in_order(settings.enrichments)
    needed = any(each.name == "geoip" for each in chosen)
    assets = Assets(geoip=open_geoip(settings.geoip_file) if needed else None)
    return tuple(each.build(assets) for each in chosen)


def open_geoip(setting: str) -> Places | None:
    """The places of addresses, from the database that `pipeline.geoip_file` names; None when there is none to open.

    Raises SetupError when the file cannot be used (`geoip.open_places`).
    """
    from headwater.pipeline.enrich.geoip import open_places

    return open_places(setting)


def fill(context: dict[str, Any], key: str, facts: Facts) -> None:
    """Put facts under a key of the context where the sender left them out.

    An object of the sender's that says otherwise in any of them stays as it is, so that no object describes two things.
    """
    given: JSON = context.get(key)
    if given is None:
        context[key] = facts.copy()
    elif isinstance(given, dict):
        known = cast("dict[str, Any]", given)
        missing = [name for name in facts if known.get(name) is None]
        if all(name in missing or known[name] == fact for name, fact in facts.items()):
            known.update({name: facts[name] for name in missing})
