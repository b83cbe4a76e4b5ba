"""A destination as its lane needs it: settings opened, completed and checked, once for each change."""

from __future__ import annotations

import logging
from typing import Any, cast

import msgspec

from headwater.deliver.backoff import horizon_ms
from headwater.deliver.decide import Decide, decider
from headwater.deliver.performing import Perform
from headwater.deliver.redact import forms, redact
from headwater.deliver.subscribed import broken_ways, subscribed_ways
from headwater.deliver.ways import Way, idle_way, whole_way
from headwater.destinations import HORIZON_HOURS, absent, definition
from headwater.spec.destination import DestinationDefinition
from headwater.spec.errors import SetupError
from headwater.spec.filters import compile_filters
from headwater.spec.settings import DeliverSettings
from headwater.spec.workspace import Destination, Subscription
from headwater.store.secrets import Secrets

_log = logging.getLogger("headwater.deliver")


class LanePlan(msgspec.Struct, frozen=True):
    """`settings` are in the clear and must not be shown; `hidden` are the secret ones in all forms that samples hide.

    `broken` says why the destination cannot work as it is set up, or is empty.
    """

    destination: Destination
    definition: DestinationDefinition
    settings: dict[str, Any]
    hidden: tuple[str, ...]
    ways: dict[str, Way]
    decide: Decide | None
    horizon_ms: int
    broken: str = ""

    @property
    def most(self) -> int:
        """How many items one request may carry, of the way that takes most."""
        return max((way.batch.items for way in self.ways.values()), default=1)


def compile_lane(
    destination: Destination, secrets: Secrets, house: DeliverSettings, perform: Perform | None = None
) -> LanePlan | None:
    """Compile a destination; None when it is switched off or the catalogue no longer has its definition.

    `perform` gives whoever performs what is no generator of requests; without it such actions are broken. So is a
    destination that cannot be compiled for whatever reason: it is nobody's trouble but its own.
    """
    if not destination.enabled:
        return None
    try:
        declared = definition(destination.definition)
    except SetupError:
        return None
    except Exception as error:
        declared = absent(destination.definition, _unexpected(destination, error))
    broken = ""
    ways: tuple[Way, ...] = ()
    settings: dict[str, Any] = {}
    opened = destination
    filters = None
    try:
        filters = compile_filters(destination.filters) if destination.filters else None
        settings = complete(declared, destination.settings, secrets)
        declared.check(settings)
        performer = perform(destination) if perform is not None else None
        if declared.action is not None:
            ways = (whole_way(declared, settings, performer),)
        else:
            opened = open_mappings(destination, declared, secrets)
            ways = subscribed_ways(opened, declared, settings, performer)
    except Exception as error:
        broken = str(error) if isinstance(error, SetupError) else _unexpected(destination, error)
        whole = not declared.actions and (declared.action is not None or not destination.subscriptions)
        ways = (idle_way(),) if whole else broken_ways(destination, broken)
    hidden = (*hidden_forms(declared, settings), *hidden_in_mappings(opened, declared))
    own = destination.settings.get(HORIZON_HOURS.key)
    horizon = horizon_ms(own, house.horizon_hours)
    return LanePlan(
        destination,
        declared,
        settings,
        hidden,
        {way.id: msgspec.structs.replace(way, broken=redact(way.broken, hidden)) for way in ways},
        decider(ways, filters),
        horizon,
        redact(broken, hidden),
    )


def _unexpected(destination: Destination, error: Exception) -> str:
    _log.error("The destination %s cannot be compiled", destination.id, exc_info=error)
    return f"The destination cannot be used: {type(error).__name__}. The log of the house says more."


def complete(declared: DestinationDefinition, settings: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    """The settings with defaults filled in and secrets opened. Raises SetupError for a secret that cannot be."""
    found = dict(settings)
    for field in declared.fields:
        value = found.get(field.key)
        if value is None and field.default is not None:
            found[field.key] = field.default
        elif field.secret:
            found[field.key] = secrets.open_all(value)
    return found


def open_mappings(destination: Destination, declared: DestinationDefinition, secrets: Secrets) -> Destination:
    """The destination with the secrets in its mappings opened. Raises SetupError for one that cannot be."""
    if not any(field.secret for action in declared.actions for field in action.fields):
        return destination
    opened: list[Subscription] = []
    for one in destination.subscriptions:
        secret = _secret_keys(declared, one)
        mapping = {key: secrets.open_all(value) if key in secret else value for key, value in one.mapping.items()}
        opened.append(msgspec.structs.replace(one, mapping=mapping))
    return msgspec.structs.replace(destination, subscriptions=tuple(opened))


def hidden_in_mappings(destination: Destination, declared: DestinationDefinition) -> tuple[str, ...]:
    """The secrets in opened mappings, in all forms that must not show."""
    values = [one.mapping.get(key) for one in destination.subscriptions for key in _secret_keys(declared, one)]
    return forms(value for value in values if isinstance(value, str))


def _secret_keys(declared: DestinationDefinition, subscription: Subscription) -> set[str]:
    action = declared.find(subscription.action)
    return {field.key for field in action.fields if field.secret} if action is not None else set()


def hidden_forms(declared: DestinationDefinition, settings: dict[str, Any]) -> tuple[str, ...]:
    """The secret settings in all forms that must not show."""
    values: list[Any] = []
    for value in (settings.get(field.key) for field in declared.fields if field.secret):
        values += cast("dict[str, Any]", value).values() if isinstance(value, dict) else [value]
    return forms(value for value in values if isinstance(value, str))
