"""Settings of destinations and warehouses: checked against their fields, sealed on the way in, masked on the way out.

A secret never leaves. It shows as `MASK`, and a mask that comes back leaves the secret as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from headwater.manage.elsewhere import moved, refusal
from headwater.manage.problems import Problem, Refused
from headwater.spec.destination import Field
from headwater.store.secrets import Secrets

MASK = "••••"
_SEALED = "sealed:"
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "text": (str,),
    "password": (str,),
    "select": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "map": (dict,),
    "secrets": (dict,),
    "list": (list,),
}


def masked(settings: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """Settings as they may be shown: what is secret by its field, or sealed, is masked."""
    secret = {field.key for field in fields if field.secret}
    return {key: _mask(value) if key in secret or _is_sealed(value) else value for key, value in settings.items()}


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(cast("dict[str, Any]", value), MASK)
    return MASK if value else value


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings after a change: null removes one, absent ones stay."""
    return {key: value for key, value in {**before, **changes}.items() if value is not None}


def fill_in(
    fields: Sequence[Field], before: Mapping[str, Any], changes: Mapping[str, Any], secrets: Secrets
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings after a change, once as they are stored (sealed) and once opened, with defaults, to be checked.

    Raises Refused with every setting that is unknown, missing or of the wrong kind, and every secret that must be given
    again because the place it is sent to changes (`elsewhere.py`); SetupError when a stored secret cannot be opened.
    """
    by_key = {field.key: field for field in fields}
    problems = [_problem(key, "is not a setting here") for key in changes if key not in by_key]
    after = merged(before, {key: value for key, value in changes.items() if value != MASK})
    stored: dict[str, Any] = {}
    opened: dict[str, Any] = {}
    places = moved(fields, before, after)
    for field in fields:
        if field.key not in after:
            if field.default is not None:
                opened[field.key] = field.default
            elif field.required:
                problems.append(_problem(field.key, "is required"))
            continue
        value = after[field.key]
        if places and field.secret and _stays(changes.get(field.key), before.get(field.key)):
            problems.append(_problem(field.key, refusal(places)))
            continue
        if field.secret and value is before.get(field.key):
            stored[field.key], opened[field.key] = value, secrets.open_all(value)
            continue
        value = _unmasked(value, before.get(field.key), secrets)
        wrong = _wrong(field, value)
        if wrong:
            problems.append(_problem(field.key, wrong))
            continue
        opened[field.key] = value
        stored[field.key] = secrets.seal_all(value) if field.secret else value
    if problems:
        raise Refused(problems)
    return stored, opened


def _stays(given: Any, before: Any) -> bool:
    """Does a secret that stands, or one of a map, stay because it is not given again?"""
    if not isinstance(given, dict):
        return bool(before) and given in (None, MASK)
    known = cast("dict[str, Any]", before) if isinstance(before, dict) else {}
    return any(item == MASK and key in known for key, item in cast("dict[str, Any]", given).items())


def _unmasked(value: Any, before: Any, secrets: Secrets) -> Any:
    """A map in which a mask that came back is again the secret that it stands for."""
    if not isinstance(value, dict) or not isinstance(before, dict):
        return value
    known, given = cast("dict[str, Any]", before), cast("dict[str, Any]", value)
    return {key: secrets.open_all(known[key]) if item == MASK and key in known else item for key, item in given.items()}


def _wrong(field: Field, value: Any) -> str:
    kinds = _KINDS.get(field.type)
    if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        return f"is not valid: expected {field.type}"
    if field.choices and value not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if field.required and value in ("", {}, []):
        return "is required"
    if _is_sealed(value) or (field.secret and isinstance(value, dict) and _holds_sealed(cast("dict[str, Any]", value))):
        return "is not valid: it looks like a secret that is sealed already"
    return ""


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_SEALED)


def _holds_sealed(values: Mapping[str, Any]) -> bool:
    return any(_is_sealed(value) for value in values.values())


def _problem(key: str, what: str) -> Problem:
    return Problem("input-validation", f'"settings.{key}" {what}', f"settings.{key}")
