"""Templates: text with the values of paths in it, in two or three braces, which mean the same (6.10).

Those in three are filled in first, and what they leave is looked at again, as the engine that mappings come from does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from headwater.spec.mapping.errors import TOO_LONG, MappingFailed
from headwater.spec.mapping.paths import Read, follow, lately
from headwater.spec.mapping.values import MAX_TEXT, SPACES, UNDEFINED, text

_OPEN: Final = "{{{"
_CLOSE: Final = "}}}"
Part = str | Read


def compile_template(template: str) -> Callable[[Any], str]:
    """The function that fills in a template."""
    if _OPEN in template:
        return lambda value: render(template, value)
    return _filled(_parts(template, 2, follow))


def render(template: str, value: Any) -> str:
    """Fill in a template that is read only once."""
    if _OPEN in template:
        template = _filled(_parts(template, 3, lately))(value)
    return _filled(_parts(template, 2, lately))(value)


def names(template: str) -> list[str]:
    """The paths in a template."""
    found: list[str] = []

    def note(path: str) -> Read:
        found.append(path)
        return lambda value: UNDEFINED

    _parts(_filled(_parts(template, 3, note))(None), 2, note)
    return found


def _parts(template: str, braces: int, read: Callable[[str], Read]) -> list[Part]:
    """The texts and paths of a template. A path is never empty and has no closing brace in it."""
    opening, closing = _OPEN[:braces], _CLOSE[:braces]
    parts: list[Part] = []
    done = at = 0
    while (end := template.find("}", at)) >= 0:
        start = template.find(opening, at, max(end - 1, 0)) if template.startswith(closing, end) else -1
        at = end + 1
        if start >= 0:
            parts += [template[done:start], read(template[start + braces : end].strip(SPACES))]
            done = at = end + braces
    parts.append(template[done:])
    return [part for part in parts if part != ""]


def _filled(parts: list[Part]) -> Callable[[Any], str]:
    def fill(value: Any) -> str:
        made = [part if isinstance(part, str) else _inserted(part(value)) for part in parts]
        if sum(map(len, made)) > MAX_TEXT:
            raise MappingFailed(TOO_LONG)
        return "".join(made)

    return fill


def _inserted(value: Any) -> str:
    return "" if value is None or value is UNDEFINED else text(value)
