"""The audiences or computed traits of a space in a list. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headwater.console.parts.audiences.asks import NOUNS, Kind, Shown, path_of
from headwater.console.parts.audiences.state import state_html
from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.pieces import Html, chip, link, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.manage.operations.computations import GetComputationProgressAnswer

_TOLD = 3


class Row(msgspec.Struct, frozen=True):
    """One, with what was asked besides. `told` are the names of whom it is told to, None if they are not known."""

    shown: Shown
    progress: GetComputationProgressAnswer | None = None
    spark: Html = Html('<span class="spark-place"></span>')
    told: Sequence[str] | None = None


def list_html(kind: Kind, rows: Sequence[Row], space: str, now: int, zone: str) -> Html:
    """The list as a table."""
    heads = ("Audience", "Members") if kind == "audience" else ("Computed trait", "Profiles")
    heads += ("State", "By the hour", "Of", "Told to", "Changed")
    return table_html(heads, (_row(one, space, now, zone) for one in rows), right=(1,), label=NOUNS[kind].capitalize())


def _row(row: Row, space: str, now: int, zone: str) -> tuple[object, ...]:
    one = row.shown
    name = link(short(one.name, 80), path_of(one.kind, space, one.id))
    size = row.progress.size if row.progress is not None else one.size
    return (
        Html(f'<div class="named">{name}<small class="mono">{safe(short(one.key, 80))}</small></div>'),
        count(size),
        state_html(one, row.progress),
        row.spark,
        "companies" if one.level == "ACCOUNTS" else "people",
        told_html(row.told),
        Html(ago_html(one.updated_at, now, zone)),
    )


def told_html(told: Sequence[str] | None) -> Html:
    """Whom it is told to, a few of them by name."""
    if told is None:
        return Html("")
    if not told:
        return Html('<span class="soft">nobody yet</span>')
    more = f' <small class="soft">+{count(len(told) - _TOLD)}</small>' if len(told) > _TOLD else ""
    return Html(" ".join(chip(short(name, 30)) for name in told[:_TOLD]) + more)
