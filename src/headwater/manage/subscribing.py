"""What a subscription may say: its trigger, its mapping, and what its action will miss. Pure.

What cannot be used at all is refused when it is saved: a trigger that is no query, and a mapping that is none. What an
event may still make good is told as a problem and saved: a required field that nothing fills, a field that the action
does not have. Each event is checked again when it is delivered (contract: connections 6.8-6.11).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from headwater.manage.forms import MASK
from headwater.manage.problems import Problem, Refused
from headwater.spec.destination import Action, DestinationDefinition, Field, Preset
from headwater.spec.fql import FqlError, Holds, Query, compile_trigger, parse, show
from headwater.spec.fql.tree import All, And, Condition, Or
from headwater.spec.mapping import DIRECTIVE, INTERNAL, SYNC_MODE, MappingError, compile_mapping
from headwater.store.secrets import Secrets

MOST: Final = 50
"""Subscriptions of one destination (6.1)."""

_BATCHING: Final = frozenset(("enable_batching", "batch_size", "batch_bytes", "batch_keys"))


def check(trigger: str | None, mapping: Mapping[str, Any] | None) -> None:
    """Raises Refused with all that is wrong with a trigger and a mapping, as far as they are given."""
    problems: list[Problem] = []
    if trigger is not None:
        problems += _of_trigger(trigger)
    if mapping is not None:
        problems += _of_mapping(mapping)
    if problems:
        raise Refused(problems)


def read_trigger(trigger: str) -> Holds:
    """The trigger as a question to an event. Raises FqlError."""
    return compile_trigger(parse(trigger))


def _of_trigger(trigger: str) -> Iterator[Problem]:
    try:
        read_trigger(trigger)
    except FqlError as error:
        message = f'"trigger" cannot be used. {error}'
        yield Problem("input-validation", message, "trigger", {"position": error.position})


def _of_mapping(mapping: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        compile_mapping(dict(mapping))
    except MappingError as error:
        for one in error.problems:
            path = ".".join(("settings", *one.path.strip("/").split("/"))).rstrip(".")
            yield Problem("input-validation", f'"{path}" {one.sentence}', path)


def missing(action: Action, mapping: Mapping[str, Any]) -> list[str]:
    """What the action will not like about a mapping that can be used, a sentence each.

    A field that is only sometimes required is not looked at, nor is anything in a mapping with a directive around it.
    """
    if DIRECTIVE in mapping:
        return []
    known = {field.key for field in action.fields} | _BATCHING | set(action.hooks)
    found = [said for field in action.fields for said in _of_field(field, mapping.get(field.key))]
    found += [
        f"The action has no field {key!r}; what is mapped to it is left out."
        for key in mapping
        if key not in known and not key.startswith(INTERNAL)
    ]
    modes = sync_modes(action)
    if modes and mapping.get(SYNC_MODE) not in modes:
        found.append(f"The action needs a sync mode ({SYNC_MODE}): {', '.join(modes)}.")
    return found


def _of_field(field: Field, value: Any) -> Iterator[str]:
    called = f"{field.label or field.key} ({field.key})"
    if value in (None, "") and field.required:
        yield f"{called} is required, and nothing is mapped to it."
    listed = field.choices and not field.dynamic and not field.multiple
    if listed and isinstance(value, str | int | float) and value != "" and _written(value) not in field.choices:
        yield f"{called} must be one of {', '.join(field.choices)}."


def _written(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def sync_modes(action: Action) -> list[str]:
    """The sync modes that an action knows; none for one that has no such thing (6.15)."""
    choices = cast("list[dict[str, Any]]", action.sync_mode.get("choices") or [])
    return [str(one.get("value")) for one in choices]


def defaults(action: Action) -> dict[str, Any]:
    """The mapping of an action for which nobody gave one: the defaults of its fields."""
    made = {field.key: field.default for field in action.fields if field.default is not None}
    mode = action.sync_mode.get("default")
    return {**made, SYNC_MODE: mode} if mode else made


def automatic(definition: DestinationDefinition) -> list[Preset]:
    """The subscriptions that are made when the destination is connected (6.8)."""
    return [one for one in definition.presets if one.kind == "automatic" and definition.find(one.action) is not None]


def secret_keys(action: Action | None) -> set[str]:
    """The fields of an action that hold secrets."""
    return {field.key for field in action.fields if field.secret} if action is not None else set()


def masked(action: Action | None, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as it may be shown."""
    secret = secret_keys(action)
    return {key: MASK if key in secret and isinstance(value, str) else value for key, value in mapping.items()}


def unmasked(action: Action | None, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping in which what came back masked is as it was before."""
    secret = secret_keys(action)
    return {key: before.get(key) if key in secret and value == MASK else value for key, value in given.items()}


def sealed(action: Action, mapping: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """A mapping as it is kept."""
    secret = secret_keys(action)
    return {key: secrets.seal_all(value) if key in secret else value for key, value in mapping.items()}


def why_not(trigger: str, event: dict[str, Any]) -> str:
    """Which part of a trigger does not hold for an event that it does not match, in words. Raises FqlError."""
    query = parse(trigger)
    return "" if isinstance(query.body, All) else _failing(query.body, event)


def _failing(part: Condition, event: dict[str, Any]) -> str:
    match part:
        case And():
            first = next((one for one in part.parts if not compile_trigger(Query(one))(event)), part.parts[0])
            return _failing(first, event)
        case Or():
            return f"none of these holds: {', '.join(show(Query(one)) for one in part.parts)}"
        case _:
            return f"this does not hold: {show(Query(part))}"
