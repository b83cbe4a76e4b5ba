"""What needs somebody's attention, with links to where it can be mended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from headwater.console.parts.pieces import Html
from headwater.manage.operations.overview import ProblemShape

MOST = 4
"""So many problems are shown at once; the others can be unfolded."""

_OWN = {"source": "/sources", "destination": "/destinations", "warehouse": "/warehouse"}
_PLACES = {
    "reader": "/settings/health",
    "store": "/settings/health",
    "log": "/settings/health",
    "ledger": "/settings/health",
    "disk": "/settings/storage",
}


def place_of(problem: ProblemShape) -> str:
    """The page on which a problem can be looked into."""
    if problem.kind in _OWN and problem.id:
        return f"{_OWN[problem.kind]}/{problem.id}"
    return _PLACES.get(problem.kind, "/")


def banner(problems: Sequence[ProblemShape]) -> Html:
    """Every problem with what to do about it; nothing when there is none."""
    first, others = problems[:MOST], problems[MOST:]
    shown = "".join(_one(problem) for problem in first)
    if not others:
        return Html(shown)
    rest = "".join(_one(problem) for problem in others)
    return Html(f'{shown}<details class="more"><summary>and {len(others)} more</summary>{rest}</details>')


def _one(problem: ProblemShape) -> str:
    tone = "error" if problem.severity == "error" else "warning"
    return (
        f'<div class="notice {tone} problem-line" role="alert"><a href="/console{escape(place_of(problem))}">'
        f'{escape(problem.what)}</a><div class="soft">{escape(problem.todo)}</div></div>'
    )
