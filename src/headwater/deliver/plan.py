"""A destination as its lane needs it: settings opened, completed and checked, once for each change."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from headwater.deliver.backoff import horizon_ms
from headwater.deliver.redact import forms
from headwater.destinations import HORIZON_HOURS, definition
from headwater.spec.destination import Batch, DestinationDefinition
from headwater.spec.errors import SetupError
from headwater.spec.settings import DeliverSettings
from headwater.spec.workspace import Destination
from headwater.store.secrets import Secrets


class LanePlan(msgspec.Struct, frozen=True):
    """`settings` are in the clear and must not be shown; `hidden` are the secret ones in all forms that samples hide.

    `broken` says why the destination cannot work as it is set up, or is empty.
    """

    destination: Destination
    definition: DestinationDefinition
    settings: dict[str, Any]
    hidden: tuple[str, ...]
    batch: Batch
    horizon_ms: int
    broken: str = ""


def compile_lane(destination: Destination, secrets: Secrets, house: DeliverSettings) -> LanePlan | None:
    """Compile a destination; None when it is switched off or the catalogue no longer has its definition."""
    if not destination.enabled:
        return None
    try:
        declared = definition(destination.definition)
    except SetupError:
        return None
    broken = ""
    batch = Batch()
    settings: dict[str, Any] = {}
    try:
        settings = complete(declared, destination.settings, secrets)
        declared.check(settings)
        batch = declared.batch(settings)
    except SetupError as error:
        broken = str(error)
    own = destination.settings.get(HORIZON_HOURS.key)
    horizon = horizon_ms(own, house.horizon_hours)
    return LanePlan(destination, declared, settings, hidden_forms(declared, settings), batch, horizon, broken)


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


def hidden_forms(declared: DestinationDefinition, settings: dict[str, Any]) -> tuple[str, ...]:
    """The secret settings in all forms that must not show."""
    values: list[Any] = []
    for value in (settings.get(field.key) for field in declared.fields if field.secret):
        values += cast("dict[str, Any]", value).values() if isinstance(value, dict) else [value]
    return forms(value for value in values if isinstance(value, str))
