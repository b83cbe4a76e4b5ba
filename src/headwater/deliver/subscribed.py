"""The ways of a destination with actions: one for each subscription that is switched on (contract: connections 6.8).

A native action finds its payload mapped and checked before it is tried; an item whose payload cannot be made fails by
itself. Actions of the catalogue are mapped by the worker that performs them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from headwater.deliver.attempt import Attempted, bisected
from headwater.deliver.performing import Performer, needed
from headwater.deliver.ways import Run, Way, never, plain_run
from headwater.spec.destination import Action, Batch, DestinationDefinition, Exchange, Failed, Item
from headwater.spec.errors import SetupError
from headwater.spec.fql import FqlError, compile_trigger, parse
from headwater.spec.mapping import MappingError, MappingFailed, compile_mapping
from headwater.spec.payload import compile_fields
from headwater.spec.workspace import Destination, Subscription

_log = logging.getLogger("headwater.deliver")
Mapped = Callable[[dict[str, Any]], Any]
Prepare = Callable[[Item], Item | Failed]
"""Map an event to the payload of its action, or say why that cannot be."""


def subscribed_ways(
    destination: Destination, definition: DestinationDefinition, settings: dict[str, Any], performer: Performer | None
) -> tuple[Way, ...]:
    """The ways of a destination with actions, one for each subscription that is switched on."""
    ways: list[Way] = []
    for subscription in destination.subscriptions:
        if subscription.enabled:
            try:
                ways.append(_way(subscription, definition, settings, performer))
            except (SetupError, FqlError, MappingError) as error:
                ways.append(_broken(subscription, str(error)))
            except Exception as error:
                _log.exception("The subscription %s cannot be compiled", subscription.id)
                ways.append(_broken(subscription, f"It cannot be used: {type(error).__name__}."))
    return tuple(ways)


def _way(
    subscription: Subscription,
    definition: DestinationDefinition,
    settings: dict[str, Any],
    performer: Performer | None,
) -> Way:
    action = definition.find(subscription.action)
    if action is None:
        raise SetupError(f"{definition.name} has no action {subscription.action!r}.")
    holds = compile_trigger(parse(subscription.trigger))
    batch = action.batch(settings, subscription.mapping) if action.batch is not None else Batch()
    mapped = compile_mapping(subscription.mapping) if batch.keys or not definition.worker else _nothing
    if definition.worker:
        run = bisected(needed(performer).runner(definition, action, subscription, settings))
    else:
        run = _prepared(_prepare(action, mapped), bisected(plain_run(definition, action, settings, performer)))
    return Way(subscription.id, batch, run, holds, _key(mapped, batch))


def _nothing(event: dict[str, Any]) -> Any:
    return {}


def broken_ways(destination: Destination, why: str) -> tuple[Way, ...]:
    """The ways of a destination with actions that cannot work as it is set up."""
    return tuple(_broken(one, why) for one in destination.subscriptions if one.enabled)


def _broken(subscription: Subscription, why: str) -> Way:
    """A subscription that cannot work takes what its trigger says, if that can be read, and else everything."""
    try:
        holds = compile_trigger(parse(subscription.trigger))
    except Exception:
        holds = None
    return Way(subscription.id, Batch(), never, holds, broken=f"{subscription.name}: {why}")


def _prepare(action: Action, mapped: Mapped) -> Prepare:
    check = compile_fields(action.fields)

    def prepare(item: Item) -> Item | Failed:
        try:
            payload, problems = check(mapped(item.read()), False)
        except MappingFailed as error:
            return Failed(str(error))
        except Exception as error:
            _log.exception("The payload of an event cannot be made")
            return Failed(f"The payload cannot be made: {type(error).__name__}.")
        if problems:
            return Failed(" ".join(problems))
        return msgspec.structs.replace(item, payload=payload)

    return prepare


def _prepared(prepare: Prepare, run: Run) -> Run:
    """Try the items whose payload is as its action wants it; the others fail by themselves."""

    async def prepared(items: Sequence[Item], exchange: Exchange) -> Attempted:
        ready: dict[int, Item] = {}
        failed: dict[int, Failed] = {}
        for index, item in enumerate(items):
            made = prepare(item)
            if isinstance(made, Failed):
                failed[index] = made
            else:
                ready[index] = made
        tried = await run(list(ready.values()), exchange) if ready else None
        return tried.among(list(ready), failed) if tried is not None else Attempted.refused(failed)

    return prepared


def _key(mapped: Mapped, batch: Batch) -> Callable[[dict[str, Any]], str] | None:
    if not batch.keys:
        return None

    def key(event: dict[str, Any]) -> str:
        try:
            made = mapped(event)
            fields = cast("dict[str, Any]", made) if isinstance(made, dict) else {}
            return msgspec.json.encode([fields.get(name) for name in batch.keys]).decode()
        except MappingFailed:
            return ""
        except Exception:
            _log.exception("What an event may share a request with could not be told")
            return ""

    return key
