"""The reference page of mappings, from the directives, the filters of templates and the bounds."""

from __future__ import annotations

import json
from typing import Any, Final

from headwater.spec.limits import MAX_DEPTH
from headwater.spec.mapping.liquid import MAX_TEMPLATE
from headwater.spec.mapping.liquid.filters import FILTERS
from headwater.spec.mapping.values import MAX_TEXT

DIRECTIVES: Final[dict[str, tuple[Any, str]]] = {
    "@path": ("$.properties.products[0].id", "What stands at a path; `$.` is the whole event."),
    "@template": ("{{traits.first}} {{traits.last}}", "Text with what stands at paths; what is missing is empty."),
    "@literal": ("{{not a template}}", "The value as it stands."),
    "@if": (
        {"exists": {"@path": "$.userId"}, "then": {"@path": "$.userId"}, "else": {"@path": "$.anonymousId"}},
        "`then` or `else`. `blank` instead of `exists` also counts empty text, 0 and false as nothing.",
    ),
    "@case": ({"operator": "lower", "value": {"@path": "$.traits.email"}}, "Text in lower or upper case."),
    "@replace": (
        {"value": {"@path": "$.traits.phone"}, "pattern": "+", "replacement": "00"},
        "Literal text for other text, of at most 10 characters. More keys: `pattern2`, `replacement2`, `ignorecase`, "
        "`global`.",
    ),
    "@arrayPath": (
        ["$.properties.products", {"sku": {"@path": "$.id"}}],
        "A list; with a shape, each of its items in it, with paths that begin at the item.",
    ),
    "@merge": (
        {"objects": [{"@path": "$.traits"}, {"plan": "free"}], "direction": "left"},
        "Several objects as one. To the `right` the last value of a key wins, to the `left` the first.",
    ),
    "@transform": (
        {"apply": {"id": {"@path": "$.userId"}}, "mapping": {"user": {"@path": "$.id"}}},
        "A mapping of what another mapping makes.",
    ),
    "@flatten": (
        {"value": {"@path": "$.properties"}, "separator": "."},
        "An object of one level, with joined keys; `omitArrays` keeps lists.",
    ),
    "@json": ({"mode": "encode", "value": {"@path": "$.context"}}, "Text of JSON, or with `decode` what one says."),
    "@excludeWhenNull": ({"@path": "$.traits"}, "The value without nulls; nothing if it is null itself."),
    "@liquid": ("{{ properties.total | times: 100 | round }}", "A template of Liquid over the event."),
}
"""An argument for every directive, and what it gives."""

_PAGE = """\
# {title}

{made}

A mapping says what of an event becomes which field of an action. It is JSON: values stand for themselves, and an object
with a directive for what that makes of the event. Beside a directive there may only be `_metadata`, which is not read.

```json
{{
  "email": {{"@path": "$.traits.email"}},
  "name": {{"@template": "{{{{traits.firstName}}}} {{{{traits.lastName}}}}"}},
  "source": "website",
  "items": {{"@arrayPath": ["$.properties.products", {{"sku": {{"@path": "$.id"}}}}]}}
}}
```

What an event lacks leaves no key behind; null stays null. A mapping that is wrong is refused with every problem and its
path. What then still goes wrong with an event, fails its delivery for good.

## Directives

| Example | Result |
| --- | --- |
{directives}

Where a value becomes text, a number is written without needless zeros, a list with commas, and an object as
`[object Object]`.

The key `__segment_internal_directive` holds a directive around the whole mapping; the other keys become its `mapping`.

## Liquid

Paths begin at the event: `properties.total`, or `event.properties.total`. Tags are `assign`, `capture`, `comment`,
`cycle`, `decrement`, `echo`, `if`, `increment`, `liquid`, `raw` and `unless`. `now` is when the event was received, and
moments are in UTC. There are these filters, and any other leaves its value as it is:

{filters}.

## Bounds

A mapping has at most {depth} levels, a template of Liquid {template:,} characters, and one directive makes at most
{text:,} characters.
"""


def _code(example: dict[str, Any]) -> str:
    """Code in a table, where a bar would end its column."""
    return f"`{json.dumps(example)}`".replace("|", "\\|")


def page(title: str, made: str) -> str:
    """The page in Markdown. `made` is the line that says so."""
    rows = [f"| {_code({name: example})} | {sentence} |" for name, (example, sentence) in DIRECTIVES.items()]
    filters = ", ".join(f"`{name}`" for name in sorted(FILTERS))
    return _PAGE.format(
        title=title,
        made=made,
        directives="\n".join(rows),
        filters=filters,
        depth=MAX_DEPTH,
        template=MAX_TEMPLATE,
        text=MAX_TEXT,
    )
