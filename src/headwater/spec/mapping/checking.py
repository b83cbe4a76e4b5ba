"""Finds everything that is wrong with a mapping before it is used, each with its path (6.10).

Lists, and what stands in `@literal` and `@excludeWhenNull`, are not looked into: what is wrong there shows when an
event is mapped, and only if it is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from headwater.spec.limits import MAX_DEPTH
from headwater.spec.mapping.errors import Problem
from headwater.spec.mapping.values import kind

Check = Callable[[Any, str], Iterator[Problem]]
"""From a value and its path to what is wrong with it."""

MAX_PATTERN: Final = 10
MAX_REPLACEMENT: Final = 10
METADATA: Final = "_metadata"
_ARTICLES: Final = {"array": "an array", "object": "an object", "undefined": "missing", "null": "null"}


def directive_of(value: dict[str, Any]) -> str | None:
    """The name of the directive that an object is, or None. Beside it there may only be `_metadata`."""
    names = [key for key in value if key.startswith("@")]
    if not names or any(not key.startswith("@") and key != METADATA for key in value):
        return None
    return names[0]


def check(value: Any, path: str = "") -> Iterator[Problem]:
    """What is wrong with a part of a mapping."""
    if path.count("/") > MAX_DEPTH:
        yield Problem(path, f"is more than {MAX_DEPTH} levels deep")
    elif _is_directive(value):
        yield from _directive(value, path)
    elif isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from check(each, f"{path}/{key}")


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and any(key.startswith("@") for key in cast("dict[str, Any]", value))


def _directive(value: dict[str, Any], path: str) -> Iterator[Problem]:
    names = [key for key in value if key.startswith("@")]
    beside = [key for key in value if not key.startswith("@") and key != METADATA]
    if len(names) > 1 or beside:
        yield Problem(path or "/", f"has one directive and nothing beside it, not {', '.join([*names, *beside])}")
    elif names[0] not in CHECKS:
        yield Problem(path or "/", f"has no known directive: {names[0]}")
    else:
        yield from CHECKS[names[0]](value[names[0]], f"{path}/{names[0]}")


def _of(*kinds: str) -> Check:
    """A value of one of these types, whatever is in it; a directive is one only if it is named."""

    def look(value: Any, path: str) -> Iterator[Problem]:
        found = "directive" if _is_directive(value) else kind(value)
        if found not in kinds:
            shown = _ARTICLES.get(found, f"a {found}")
            yield Problem(path, f"is {' or '.join(_ARTICLES.get(each, f'a {each}') for each in kinds)}, not {shown}")

    return look


def _text(least: int, most: int) -> Check:
    def look(value: Any, path: str) -> Iterator[Problem]:
        yield from _string(value, path)
        if isinstance(value, str) and not least <= units(value) <= most:
            yield Problem(path, f"has {least} to {most} characters")

    return look


def units(value: str) -> int:
    """How long a text is; characters beyond the first 65,536 of Unicode count twice."""
    return len(value) + sum(sign > "\uffff" for sign in value)


def _one_of(*words: str) -> Check:
    def look(value: Any, path: str) -> Iterator[Problem]:
        yield from _string(value, path)
        if isinstance(value, str) and value.lower() not in words:
            yield Problem(path, f"is {' or '.join(words)}")

    return look


_string: Final = _of("string")
_boolean: Final = _of("boolean")
_array: Final = _of("array")
_directive_or_string: Final = _of("string", "directive")
_directive_or_object: Final = _of("object", "directive")


def _whole(look_at: Check) -> Check:
    """The value itself, and what is in it."""

    def look(value: Any, path: str) -> Iterator[Problem]:
        problems = list(look_at(value, path))
        yield from problems or check(value, path)

    return look


def _anything(value: Any, path: str) -> Iterator[Problem]:
    return iter(())


def _raw(value: Any, path: str) -> Iterator[Problem]:
    """A directive or anything else, which is not looked into."""
    if _is_directive(value):
        yield from check(value, path)


def _fields(needed: dict[str, Check], allowed: dict[str, Check] | None = None) -> Check:
    """An object with these keys. Everything that it has is looked into, once."""
    checks = needed | (allowed or {})

    def look(value: Any, path: str) -> Iterator[Problem]:
        if _is_directive(value) or not isinstance(value, dict):
            yield from _of("object")(value, path)
            return
        fields = cast("dict[str, Any]", value)
        for key, each in fields.items():
            if key in checks:
                yield from checks[key](each, f"{path}/{key}")
            yield from check(each, f"{path}/{key}")
        for key in needed:
            if key not in fields:
                yield Problem(path, f"needs `{key}`")

    return look


def _array_path(value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield from _array(value, path)
        return
    items = cast("list[Any]", value)
    if not items:
        yield Problem(path, "needs a path")
        return
    yield from _whole(_directive_or_string)(items[0], f"{path}/0")
    if len(items) > 1:
        yield from check(items[1], f"{path}/1")


def _merge(value: Any, path: str) -> Iterator[Problem]:
    yield from _fields({"objects": _array}, {"direction": _one_of("left", "right")})(value, path)
    objects: Any = cast("dict[str, Any]", value).get("objects") if isinstance(value, dict) else None
    if isinstance(objects, list):
        for index, each in enumerate(cast("list[Any]", objects)):
            yield from _whole(_directive_or_object)(each, f"{path}/objects/{index}")


CHECKS: Final[dict[str, Check]] = {
    "@path": _whole(_directive_or_string),
    "@template": _whole(_directive_or_string),
    "@literal": _raw,
    "@if": _fields({}),
    "@case": _fields({}, {"operator": _string, "value": _directive_or_string}),
    "@replace": _fields(
        {"pattern": _text(1, MAX_PATTERN), "value": _directive_or_string},
        {"replacement": _text(0, MAX_REPLACEMENT), "ignorecase": _boolean, "global": _boolean},
    ),
    "@arrayPath": _array_path,
    "@merge": _merge,
    "@transform": _fields({"apply": _directive_or_object, "mapping": _directive_or_object}),
    "@flatten": _fields({"value": _anything}, {"separator": _string}),
    "@json": _fields({"value": _anything, "mode": _one_of("encode", "decode")}),
    "@excludeWhenNull": _raw,
    "@liquid": _string,
}
"""Every directive, and what its argument must be."""
