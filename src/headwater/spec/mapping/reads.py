"""Which paths of an event a mapping reads, for a form or a preview."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from headwater.spec.mapping import liquid, paths, templates
from headwater.spec.mapping.checking import directive_of
from headwater.spec.mapping.compiled import rooted


def mapped_paths(mapping: dict[str, Any]) -> tuple[str, ...]:
    """The paths that a mapping reads from an event, each once, in its order, written as `properties.products.0.id`.

    What is read of the items of a list has `[]` after the list: `properties.products[].id`. The empty path is the whole
    event. Paths that only the event itself says are not among them. Raises MappingError for a mapping without form.
    """
    return tuple(dict.fromkeys(_read(rooted(mapping), "")))


def _read(node: Any, within: str) -> Iterator[str]:
    if isinstance(node, list):
        for each in cast("list[Any]", node):
            yield from _read(each, within)
    elif isinstance(node, dict):
        entries = cast("dict[str, Any]", node)
        name = directive_of(entries)
        if name is None:
            yield from _read(list(entries.values()), within)
        else:
            yield from _directive(name, entries[name], within)


def _directive(name: str, argument: Any, within: str) -> Iterator[str]:
    if name == "@path" and isinstance(argument, str):
        yield _joined(within, paths.relative(argument))
    elif name == "@template" and isinstance(argument, str):
        yield from (_joined(within, each) for each in templates.names(argument))
    elif name == "@liquid" and isinstance(argument, str):
        yield from (_joined(within, each.removeprefix("event.")) for each in liquid.names(argument))
    elif name == "@arrayPath" and isinstance(argument, list):
        path, shape = [*cast("list[Any]", argument), None, None][:2]
        if isinstance(path, str):
            found = _joined(within, paths.relative(path))
            yield found
            yield from _read(shape, f"{found}[]")
        else:
            yield from _read(path, within)
    elif name == "@transform" and isinstance(argument, dict):
        yield from _read(cast("dict[str, Any]", argument).get("apply"), within)
    else:
        yield from _read(argument, within)


def _joined(within: str, path: str) -> str:
    own = ".".join(paths.split(path))
    return f"{within}.{own}" if within and own else within or own
