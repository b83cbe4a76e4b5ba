"""From query text and JSON to a request Struct, with all that is wrong named at once (contract: public-api 4, 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from headwater.manage.problems import Problem, Refused
from headwater.spec.wire import JSON

S = TypeVar("S", bound=msgspec.Struct)
_MAX_PARTS = 5
_MAX_DIGITS = 9
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_KEY = re.compile(r"[^.\[\]]+")


def unfold(pairs: Iterable[tuple[str, str]]) -> dict[str, JSON]:
    """A query as nested objects: `pagination.count=3`, `pagination[count]=3`, `ids[0]=a`, `ids=a&ids=b` (5)."""
    tree: dict[str, JSON] = {}
    for key, value in pairs:
        parts = _KEY.findall(key)[:_MAX_PARTS] or [key]
        node = tree
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                below = node[part] = {}
            node = cast("dict[str, JSON]", below)
        last = parts[-1]
        if last in node or key.endswith("[]"):
            node[last] = _list(node.get(last))
            node[last].append(value)
        else:
            node[last] = value
    return {key: _fold(value) for key, value in tree.items()}


def _list(value: JSON) -> list[JSON]:
    if value is None:
        return []
    return cast("list[JSON]", value) if isinstance(value, list) else [value]


def _fold(value: JSON) -> JSON:
    if not isinstance(value, dict):
        return value
    items = {key: _fold(below) for key, below in cast("dict[str, JSON]", value).items()}
    if items and all(key.isdecimal() and len(key) <= _MAX_DIGITS for key in items):
        return [items[key] for key in sorted(items, key=int)]
    return items


def read(kind: type[S], given: Mapping[str, JSON], *, strict: bool, inside: str = "") -> S:
    """Make the request Struct from what was given, by wire names; unknown names are ignored.

    Without `strict`, text is read as what the field wants (a query has only text), and commas part a list. Raises
    Refused with one problem for every field that is missing or wrong.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in msgspec.structs.fields(kind):
        path = f"{inside}{field.encode_name}"
        if field.encode_name not in given:
            if field.required:
                problems.append(Problem("input-validation", f'"{path}" is required', path))
            continue
        try:
            values[field.name] = _convert(given[field.encode_name], field.type, strict, path)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    return kind(**values)


def _convert(value: JSON, wanted: Any, strict: bool, path: str) -> Any:
    struct = _struct_in(wanted)
    if struct is not None and isinstance(value, dict):
        return read(struct, cast("dict[str, JSON]", value), strict=strict, inside=f"{path}.")
    try:
        if not strict and isinstance(value, str) and _is_list(wanted):
            return msgspec.convert(value.split(","), wanted, strict=False)
        return msgspec.convert(value, wanted, strict=strict)
    except msgspec.ValidationError as error:
        raise Refused([_problem(str(error), path)]) from None


def _problem(text: str, path: str) -> Problem:
    found = _AT.fullmatch(text)
    assert found is not None
    path += found["path"] or ""
    what = found["what"].replace("`", "").strip()
    missing = re.fullmatch(r"Object missing required field (\w+)", what)
    if missing:
        path = f"{path}.{missing[1]}"
        return Problem("input-validation", f'"{path}" is required', path)
    return Problem("input-validation", f'"{path}" is not valid: {what[:1].lower()}{what[1:]}', path)


@lru_cache(maxsize=1024)
def _struct_in(wanted: Any) -> type[msgspec.Struct] | None:
    match msgspec.inspect.type_info(wanted):
        case msgspec.inspect.StructType(cls=found):
            return found
        case msgspec.inspect.UnionType(types=types):
            found = [one.cls for one in types if isinstance(one, msgspec.inspect.StructType)]
            return found[0] if len(found) == 1 else None
        case msgspec.inspect.Metadata(type=msgspec.inspect.StructType(cls=found)):
            return found
        case _:
            return None


@lru_cache(maxsize=1024)
def _is_list(wanted: Any) -> bool:
    info = msgspec.inspect.type_info(wanted)
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    inner = [one.type if isinstance(one, msgspec.inspect.Metadata) else one for one in kinds]
    lists = (msgspec.inspect.ListType, msgspec.inspect.VarTupleType)
    return any(isinstance(one, lists) for one in inner) and not any(
        isinstance(one, msgspec.inspect.StrType) for one in inner
    )
