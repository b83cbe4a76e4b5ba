"""Reads a template with python-liquid, in the dialect of mappings."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from headwater.spec.mapping.checking import units
from headwater.spec.mapping.errors import MappingFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from liquid import BoundTemplate, Environment

MAX_TEMPLATE: Final = 1_000
"""The longest template, in characters (6.10)."""


def compile_liquid(template: str) -> Callable[[Any], str]:
    """The function that renders a template. Raises MappingFailed for one that is too long or cannot be read."""
    if not template:
        return lambda value: ""
    read = _read(template)

    def run(value: Any) -> str:
        try:
            return read.render(value if isinstance(value, dict) else _inside(value))
        except MappingFailed:
            raise
        except Exception as error:
            raise MappingFailed(_sentence(error)) from None

    return run


def _inside(value: Any) -> dict[str, Any]:
    """What a template finds in an item of a list that is no object: of a text or list, how long it is."""
    if isinstance(value, str):
        return {"length": units(value)}
    return {"length": len(cast("list[Any]", value))} if isinstance(value, list) else {}


def names(template: str) -> list[str]:
    """The paths in a template; none if it cannot be read."""
    try:
        found = _read(template).analyze().globals.values() if template else ()
        return [str(each) for places in found for each in places]
    except MappingFailed:
        return []


def _read(template: str) -> BoundTemplate:
    if units(template) > MAX_TEMPLATE:
        raise MappingFailed(f"takes templates of at most {MAX_TEMPLATE:,} characters")
    environment = _environment()
    try:
        return environment.from_string(template)
    except Exception as error:
        raise MappingFailed(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"cannot use its template: {said.rstrip('.')}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Made when the first template is read, since few mappings have any and the library takes a moment to load."""
    from headwater.spec.mapping.liquid.dialect import environment

    return environment()
