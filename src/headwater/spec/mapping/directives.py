"""The directives of mappings: each makes, from its argument, a function of what is mapped (6.10).

An argument that was not looked into beforehand may be anything; what is wrong with it is then said for each event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

import msgspec

from headwater.spec.mapping import paths
from headwater.spec.mapping.errors import MappingError, MappingFailed
from headwater.spec.mapping.liquid import compile_liquid
from headwater.spec.mapping.paths import Read
from headwater.spec.mapping.replacing import replacer
from headwater.spec.mapping.reshaping import flatten, merge, parse_json, without_nulls
from headwater.spec.mapping.templates import compile_template, render
from headwater.spec.mapping.values import UNDEFINED, json_text, kind, text, truthy, without_undefined


class Scope(msgspec.Struct, frozen=True):
    """Where a part of a mapping stands.

    `raw` keeps what is missing in what is made there, for somebody outside who asks for it; otherwise keys of missing
    values are left out at once, and items are null.
    """

    path: str
    depth: int
    raw: bool
    build: Callable[[Any, Scope], Read]
    whole: Callable[[dict[str, Any], int], Read]

    def at(self, key: str | int, *, raw: bool | None = None) -> Scope:
        """One level further in."""
        raw = self.raw if raw is None else raw
        return Scope(f"{self.path}/{key}", self.depth + 1, raw, self.build, self.whole)

    def inside(self, node: Any, key: str | int, *, raw: bool | None = None) -> Read:
        """The function of a part of this part."""
        return self.build(node, self.at(key, raw=raw))

    def tidy(self, read: Read) -> Read:
        """The same without what is missing, unless somebody asks for that."""
        if self.raw:
            return read
        return lambda value: found if (found := read(value)) is UNDEFINED else without_undefined(found)

    def fail(self, sentence: str) -> NoReturn:
        raise MappingFailed(sentence, self.path)

    def telling(self, read: Read) -> Read:
        """The same; where it fails without a place, with this one."""

        def run(value: Any) -> Any:
            try:
                return read(value)
            except MappingFailed as failed:
                if failed.path:
                    raise
                raise MappingFailed(failed.sentence, self.path) from None

        return run


def never(scope: Scope, sentence: str) -> Read:
    """Fails for every event."""
    return lambda value: scope.fail(sentence)


def _nothing(value: Any) -> Any:
    return UNDEFINED


def _path(argument: Any, scope: Scope) -> Read:
    if isinstance(argument, str):
        return paths.follow(paths.relative(argument))
    return _of_text(argument, scope, lambda found, value: paths.lately(paths.relative(found))(value))


def _template(argument: Any, scope: Scope) -> Read:
    if isinstance(argument, str):
        return scope.telling(compile_template(argument))
    return scope.telling(_of_text(argument, scope, render))


def _of_text(argument: Any, scope: Scope, run: Callable[[str, Any], Any]) -> Read:
    """What is done with the text that the argument gives."""
    read = scope.build(argument, scope.at(""))

    def look(value: Any) -> Any:
        found = read(value)
        if not isinstance(found, str):
            scope.fail(f"needs a string, not {kind(found)}")
        return run(found, value)

    return look


def _literal(argument: Any, scope: Scope) -> Read:
    return scope.build(argument, scope)


def _if(argument: Any, scope: Scope) -> Read:
    if not isinstance(argument, dict):
        return never(scope, "needs an object")
    options = cast("dict[str, Any]", argument)
    if not truthy(options.get("exists")) and not truthy(options.get("blank")):
        return never(scope, "needs `exists` or `blank`")
    asked = "exists" if "exists" in options else "blank"
    look = scope.inside(options[asked], asked, raw=False)
    then = scope.inside(options["then"], "then") if "then" in options else _nothing
    other = scope.inside(options["else"], "else") if truthy(options.get("else")) else _nothing
    if asked == "blank":
        return lambda value: then(value) if _filled(look(value)) else other(value)

    def choose(value: Any) -> Any:
        found = look(value)
        return then(value) if found is not UNDEFINED and found is not None else other(value)

    return choose


def _filled(value: Any) -> bool:
    """Is it neither missing nor null nor loosely empty text? 0, false and a list of nothing are that, too."""
    if isinstance(value, list):
        return text(cast("list[Any]", value)) != ""
    return value is not UNDEFINED and value is not None and (isinstance(value, dict) or value not in ("", 0))


def _case(argument: Any, scope: Scope) -> Read:
    if not isinstance(argument, dict):
        return never(scope, "needs an object")
    options = cast("dict[str, Any]", argument)
    operator: Any = options.get("operator")
    if not truthy(operator):
        return never(scope, "needs an `operator`")
    if not truthy(options.get("value")):
        return _nothing
    read = scope.inside(options["value"], "value")
    change = {"lower": str.lower, "upper": str.upper}.get(operator) if isinstance(operator, str) else None

    def run(value: Any) -> Any:
        found = read(value)
        if not isinstance(found, str):
            return found
        return change(found) if change else scope.fail("needs the operator `lower` or `upper`")

    return run


def _replace(argument: Any, scope: Scope) -> Read:
    if not isinstance(argument, dict):
        return never(scope, "needs an object")
    options = {key: each for key, each in cast("dict[str, Any]", argument).items() if each is not None}
    if not truthy(options.get("pattern")):
        return never(scope, "needs a `pattern`")
    if not truthy(options.get("value")):
        return _nothing
    read, change = scope.inside(options["value"], "value", raw=False), replacer(options)

    def run(value: Any) -> str:
        found = read(value)
        if isinstance(found, bool | int | float):
            found = text(found)
        return change(found) if isinstance(found, str) else ""

    return scope.telling(run)


def _array_path(argument: Any, scope: Scope) -> Read:
    if not isinstance(argument, list):
        return never(scope, f"needs a list, not {kind(argument)}")
    found = cast("list[Any]", argument)
    path, shape = [*found, UNDEFINED, UNDEFINED][:2]
    read = paths.follow(paths.relative(path)) if isinstance(path, str) else scope.inside(path, 0, raw=True)
    if not isinstance(shape, dict) or not shape:
        return read if isinstance(path, str) else scope.tidy(read)
    make, missing = scope.inside(shape, 1), UNDEFINED if scope.raw else None

    def run(value: Any) -> Any:
        items = read(value)
        if isinstance(items, dict):
            items = [items]
        if not isinstance(items, list):
            return items
        made = [make(item) for item in cast("list[Any]", items)]
        return [missing if each is UNDEFINED else each for each in made]

    return run if isinstance(path, str) else scope.tidy(run)


def _flatten(argument: Any, scope: Scope) -> Read:
    options = cast("dict[str, Any]", argument) if isinstance(argument, dict) else {}
    if not truthy(options.get("separator")):
        return never(scope, "needs a `separator`")
    separate = scope.inside(options["separator"], "separator")
    read = scope.inside(options.get("value", UNDEFINED), "value", raw=True)
    lists = not truthy(options.get("omitArrays"))

    def run(value: Any) -> Any:
        separator = separate(value)
        if not isinstance(separator, str):
            scope.fail("needs a string as its `separator`")
        return flatten(read(value), separator, lists=lists)

    return scope.telling(scope.tidy(run))


def _json(argument: Any, scope: Scope) -> Read:
    options = cast("dict[str, Any]", argument) if isinstance(argument, dict) else {}
    mode: Any = options.get("mode")
    if not truthy(mode) or not truthy(options.get("value")):
        return never(scope, "needs a `mode` and a `value`")
    read = scope.inside(options["value"], "value")
    if mode == "encode":
        return scope.telling(lambda value: found if (found := read(value)) is UNDEFINED else json_text(found))
    if mode != "decode":
        return lambda value: _nothing(read(value))
    return lambda value: parse_json(found) if isinstance(found := read(value), str) else found


def _merge(argument: Any, scope: Scope) -> Read:
    options = cast("dict[str, Any]", argument) if isinstance(argument, dict) else {}
    if not truthy(options.get("direction")):
        return never(scope, "needs a `direction`")
    objects: Any = options.get("objects")
    if not isinstance(objects, list):
        return never(scope, "needs a list of `objects`")
    toward = scope.inside(options["direction"], "direction")
    reads = [scope.inside(each, f"objects/{index}", raw=True) for index, each in enumerate(cast("list[Any]", objects))]

    def run(value: Any) -> Any:
        left = toward(value) == "left"
        made = [read(value) for read in reads]
        return merge(reversed(made) if left else made)

    return scope.tidy(run)


def _transform(argument: Any, scope: Scope) -> Read:
    options = cast("dict[str, Any]", argument) if isinstance(argument, dict) else {}
    apply: Any = options.get("apply")
    if not truthy(options.get("mapping")) or not isinstance(apply, dict):
        return never(scope, "needs an object `apply` and a `mapping`")
    try:
        first = scope.at("apply").telling(scope.whole(cast("dict[str, Any]", apply), scope.depth + 1))
    except MappingError as wrong:
        return never(scope, str(wrong).removesuffix("."))
    then = scope.inside(options["mapping"], "mapping")
    return lambda value: then(first(value))


def _exclude_when_null(argument: Any, scope: Scope) -> Read:
    read = scope.build(argument, scope)
    return lambda value: UNDEFINED if (found := read(value)) is None else without_nulls(found, raw=scope.raw)


def _liquid(argument: Any, scope: Scope) -> Read:
    if not isinstance(argument, str):
        return never(scope, "needs a string")
    try:
        return scope.telling(compile_liquid(argument))
    except MappingFailed as failed:
        return never(scope, failed.sentence)


DIRECTIVES: Final[dict[str, Callable[[Any, Scope], Read]]] = {
    "@path": _path,
    "@template": _template,
    "@literal": _literal,
    "@if": _if,
    "@case": _case,
    "@replace": _replace,
    "@arrayPath": _array_path,
    "@merge": _merge,
    "@transform": _transform,
    "@flatten": _flatten,
    "@json": _json,
    "@excludeWhenNull": _exclude_when_null,
    "@liquid": _liquid,
}
"""Every directive."""
