"""A line of bars as small as a word: how much, over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from headwater.console.parts.pieces import Html

_WIDTH = 4
_GAP = 1
_HEIGHT = 20


def sparkline(values: Sequence[int], label: str) -> Html:
    """One bar a value, as high as its share of the largest; `label` says in words what is shown."""
    most = max(values, default=0)
    width = max(1, len(values) * (_WIDTH + _GAP) - _GAP)
    bars = "".join(_bar(index, value, most) for index, value in enumerate(values))
    return Html(
        f'<svg class="spark" role="img" aria-label="{escape(label)}" width="{width}" height="{_HEIGHT}" '
        f'viewBox="0 0 {width} {_HEIGHT}"><title>{escape(label)}</title>{bars}</svg>'
    )


def _bar(index: int, value: int, most: int) -> str:
    height = max(2, round(_HEIGHT * value / most)) if value > 0 else 1
    kind = "" if value > 0 else ' class="none"'
    left = index * (_WIDTH + _GAP)
    return f'<rect{kind} x="{left}" y="{_HEIGHT - height}" width="{_WIDTH}" height="{height}"/>'
