"""Traits in a table: the value now, and on unfolding the values before, each with its moment and its source. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from headwater.console.parts.figures import ago_html, count, moment_html, size
from headwater.console.parts.pieces import Html, chip, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.manage.knowing import TraitShape, TraitValue
from headwater.spec.wire import JSON

_LONG: Final = 160
_HEADS: Final = ("Trait", "Value", "Written")


def traits_html(found: Sequence[TraitShape], sources: Mapping[str, str], now: int, zone: str) -> Html:
    """The table."""
    return table_html(_HEADS, (_row(one, sources, now, zone) for one in found), label="Traits")


def value_text(value: JSON) -> str:
    """A value as people read it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(one: TraitShape, sources: Mapping[str, str], now: int, zone: str) -> list[object]:
    name = f'<span class="trait-name" title="{safe(one.name)}">{safe(short(one.name, 80))}</span>'
    taken = f" {chip('taken away', 'warn')}" if one.removed else ""
    return [
        Html(f"{name}{taken}"),
        Html(f"{_value(one.current) if not one.removed else ''}{_past(one.before, sources, zone)}"),
        Html(
            f'<span class="nowrap" title="{safe(one.current.message_id)}">{ago_html(one.current.at, now, zone)}</span>'
            f'<div class="soft">{_source(one.current, sources)}</div>'
        ),
    ]


def _past(before: Sequence[TraitValue], sources: Mapping[str, str], zone: str) -> str:
    if not before:
        return ""
    items = "".join(
        f'<li>{_value(one)}<small class="soft">{moment_html(one.at, zone)} · {_source(one, sources)}</small></li>'
        for one in before
    )
    words = "1 earlier value" if len(before) == 1 else f"{count(len(before))} earlier values"
    return f'<details class="inside"><summary>{words}</summary><ul class="past">{items}</ul></details>'


def _value(one: TraitValue) -> str:
    """A value; a long one is folded."""
    text = value_text(one.value)
    if len(text) <= _LONG:
        return f'<span class="trait-value">{safe(text)}</span>'
    told = f"{size(one.bytes)}; its beginning is shown, the Profile API reads the whole." if one.cut else ""
    return (
        f'<details class="inside"><summary>{safe(text[:80])}…</summary><span class="trait-value">{safe(text)}</span>'
        f'<small class="soft">{told}</small></details>'
    )


def _source(one: TraitValue, sources: Mapping[str, str]) -> str:
    return safe(short(sources.get(one.source_id, one.source_id), 40))
