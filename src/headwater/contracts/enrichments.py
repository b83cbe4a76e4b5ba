"""What every enrichment must keep: the promises of `headwater.pipeline.enrich`, as checks over one file's declaration.

`check_declaration` looks at what a file declares, `check_promises` at what its function does with one context, and
`check_case` at whether a golden case comes out as written. All raise AssertionError with a sentence. Contexts come from
the caller: realistic ones from cases, and any JSON at all from a generator.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import msgspec

from headwater.pipeline.enrich import Enrich, EnrichmentDefinition, names
from headwater.spec.event import Event
from headwater.spec.wire import JSON


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A golden case: `context` becomes `becomes`, and `why` says in a sentence what it shows."""

    why: str
    context: dict[str, Any]
    becomes: dict[str, Any]


def read_cases(file: Path) -> list[Case]:
    """The cases of one YAML file. Raises msgspec.ValidationError for a case of another shape."""
    return msgspec.yaml.decode(file.read_bytes(), type=list[Case])


def check_declaration(definition: EnrichmentDefinition, name: str) -> None:
    """The declaration is whole: named as its file, described in sentences, waiting only for enrichments there are."""
    assert definition.name == name, f"{name}.py declares the name {definition.name}."
    assert definition.description.endswith("."), f"The description of {name} is not a sentence."
    assert definition.reads, f"{name} does not say what it reads."
    assert definition.adds, f"{name} does not say what it adds."
    for path, sentence in definition.adds:
        assert path.startswith("context."), f"{name} may only add to the context, not {path}."
        assert sentence.endswith("."), f"The field {path} of {name} has no sentence."
    assert set(definition.after) <= set(names()), f"{name} comes after an enrichment that does not exist."


def check_case(enrich: Enrich, case: Case) -> None:
    """The case comes out as it is written."""
    found = _enriched(enrich, case.context)
    assert found == case.becomes, f"{case.why}\nexpected {case.becomes}\nfound    {found}"


def check_promises(definition: EnrichmentDefinition, enrich: Enrich, context: dict[str, Any]) -> None:
    """One context keeps the promises: nothing raised, nothing of the sender's changed, only declared fields added, and
    the same facts every time, also when the event was enriched before.
    """
    first = _enriched(enrich, context)
    assert _enriched(enrich, context) == first, f"{definition.name} says something else the second time."
    assert _enriched(enrich, first) == first, f"{definition.name} changes what it added itself."
    allowed = [path.removeprefix("context.").split(".") for path, _ in definition.adds]
    for path in _added(context, first, ()):
        assert any(_covers(pattern, path) for pattern in allowed), f"{definition.name} changed {'.'.join(path)}."


def _enriched(enrich: Enrich, context: dict[str, Any]) -> dict[str, Any]:
    """The context after the enrichment, which sees a copy of it in an event of which nothing else may change."""
    body: dict[str, Any] = {"type": "track", "event": "Seen", "context": deepcopy(context)}
    event = Event(body=body, source_id="source", received_at=0, position=0, type="track")
    enrich(event)
    rest = {key: value for key, value in event.body.items() if key != "context"}
    assert rest == {"type": "track", "event": "Seen"}, "An enrichment changed the event beside its context."
    return event.body["context"]


def _added(before: JSON, after: JSON, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The leaves that differ; what the sender gave and is gone or another counts under its path and `changed`."""
    if isinstance(after, dict) and (before is None or isinstance(before, dict)):
        was, now = cast("dict[str, JSON]", before or {}), cast("dict[str, JSON]", after)
        lost = [(*path, key, "changed") for key in was if key not in now]
        return lost + [leaf for key in now for leaf in _added(was.get(key), now[key], (*path, key))]
    if before == after and type(before) is type(after):
        return []
    return [path] if before is None else [(*path, "changed")]


def _covers(pattern: list[str], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(part in ("*", name) for part, name in zip(pattern, path, strict=True))
