"""Where an audience or computed trait stands, in a word and a bar. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater.console.parts.audiences.asks import PROCESSED, Kind, Shown
from headwater.console.parts.figures import count, percent
from headwater.console.parts.pieces import Html, Tone, chip, safe
from headwater.console.parts.sparkline import sparkline
from headwater.manage.operations.computations import GetComputationProgressAnswer, SizePoint

_TONES: Final[dict[str, Tone]] = {"Live": "good", "Failed": "bad", "Disabled": "warn"}
_MEANINGS: Final = {
    "Preparing": "It begins in a moment.",
    "Backfilling": "What came before is counted.",
    "Computing": "Everybody is looked at once.",
    "Live": "It changes as events come.",
    "Failed": "It could not be worked out.",
    "Disabled": "It is not worked out.",
}
_BARS: Final = 24


def state_chip(status: str) -> Html:
    """The status as a word with a colour; what it means on hover."""
    tone: Tone = "accent" if status in PROCESSED else _TONES.get(status, "")
    inner = chip(status.lower(), tone)
    return Html(f'<span title="{safe(_MEANINGS.get(status, ""))}">{inner}</span>')


def bar_html(done: int, total: int) -> Html:
    """How far a pass has come; without an end while there is nothing to count yet."""
    if total <= 0:
        return Html('<div class="pass unknown" role="progressbar" aria-label="Progress"><i></i></div>')
    share = min(100 * done / total, 100)
    return Html(
        f'<div class="pass" role="progressbar" aria-label="Progress" aria-valuenow="{share:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100"><i style="width:{share:.1f}%"></i></div>'
    )


def state_html(shown: Shown, progress: GetComputationProgressAnswer | None) -> Html:
    """The status, with a bar while it is worked out, or why it failed."""
    if progress is None or progress.status not in PROCESSED:
        why = f'<small class="bad">{safe(progress.error[:300])}</small>' if progress and progress.error else ""
        return Html(f'<div class="standing">{state_chip(shown.status)}{why}</div>')
    said = f"{count(progress.done)} of {count(progress.total)}" if progress.total else ""
    return Html(
        f'<div class="standing">{state_chip(progress.status)}{bar_html(progress.done, progress.total)}'
        f'<small class="soft">{said}</small></div>'
    )


def progress_html(kind: Kind, progress: GetComputationProgressAnswer) -> Html:
    """A card that says how far the past is worked out; nothing when it is done."""
    if progress.error:
        return Html(
            f'<div class="notice error" role="alert">It could not be worked out.<div class="soft said">'
            f"{safe(progress.error[:1_000])}</div></div>"
        )
    if progress.status not in PROCESSED:
        return Html("")
    told = f"{percent(progress.done, progress.total)} · {count(progress.done)} of {count(progress.total)}"
    locked = "It can be changed as soon as it is live." if kind == "audience" else "It can be changed once it is live."
    return Html(
        f'<section class="card progress-card" role="status"><b>{safe(progress.status)}</b> '
        f'<span class="soft">{safe(_MEANINGS.get(progress.status, ""))} {locked}</span>'
        f"{bar_html(progress.done, progress.total)}"
        f'<small class="soft">{told if progress.total else "Waiting for its turn"}</small></section>'
    )


def spark_html(points: Sequence[SizePoint]) -> Html:
    """The size over the time of the points, in so many bars."""
    if not points:
        return Html('<span class="spark-place"></span>')
    step = max(1, -(-len(points) // _BARS))
    sizes = [point.size for point in points][::-1][::step][::-1]
    sizes = [0] * (_BARS - len(sizes)) + sizes
    label = f"Size over {count(len(points))} hours, now {count(points[-1].size)}"
    return sparkline(sizes, label)
