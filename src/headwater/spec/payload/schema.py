"""What fields ask of a payload, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.spec.destination import Field
from headwater.spec.payload.conditions import Condition, compile_condition

TYPES = {"string": ("string",), "text": ("string",), "password": ("string",), "datetime": ("string", "number")}


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one value. Everything is of a type that nobody knows; where nothing is asked, the rest is empty.

    `items` is asked of each item of a list. An object with `properties` loses all other keys, unless `additional`, and
    `conditions` say which of them it then needs besides those that are `required`.
    """

    types: tuple[str, ...] = ()
    format: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    items: Schema | None = None
    properties: dict[str, Schema] | None = None
    additional: bool = False
    required: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


def read(fields: Sequence[Field], *, additional: bool = False) -> Schema:
    """What fields ask of an object.

    If one of an object's own fields is needed on a condition, none of them is needed without one, and the condition is
    asked where the object stands: so does the engine.
    """
    conditions = tuple(
        compile_condition(key, when) for field in fields for key, when in _conditions(field) if when.get("conditions")
    )
    return Schema(
        types=("object",),
        properties={field.key: _value(field) for field in fields},
        additional=additional,
        required=tuple(field.key for field in fields if field.required and not field.required_when),
        conditions=conditions,
    )


def _conditions(field: Field) -> list[tuple[str, dict[str, Any]]]:
    """The conditions on which a field, or one of its own, is needed."""
    own = [(f"{field.key}.{each.key}", each.required_when) for each in field.properties if each.required_when]
    return [
        *(own if field.type == "object" else []),
        *([(field.key, field.required_when)] if field.required_when else []),
    ]


def _value(field: Field) -> Schema:
    kinds = TYPES.get(field.type, (field.type,))
    schema = Schema(types=(*kinds, "null") if field.allow_null else kinds, choices=field.choices)
    within = _object(field) if field.type == "object" and field.properties else None
    if field.multiple:
        return Schema(types=("array",), items=within or Schema(types=kinds, choices=field.choices))
    if within is not None:
        return within
    limits = field.type in ("string", "number")
    return msgspec.structs.replace(
        schema,
        format="date-like" if field.type == "datetime" else field.format,
        minimum=field.minimum or None if limits else None,
        maximum=field.maximum or None if limits else None,
    )


def _object(field: Field) -> Schema:
    schema = read(field.properties, additional=field.additional_properties)
    if any(each.required_when for each in field.properties):
        return msgspec.structs.replace(schema, required=(), conditions=())
    return schema
