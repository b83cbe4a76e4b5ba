"""The ledger as a picture: what came, and what became of it, as bars whose lengths are numbers of events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from headwater.console.parts.figures import count, percent
from headwater.console.parts.pieces import Html, Tone, safe


class Share(msgspec.Struct, frozen=True):
    """A part of a bar: what became of so many events. `anchor` is shown also when there are none."""

    name: str
    events: int
    tone: Tone
    anchor: bool = False


class Stage(msgspec.Struct, frozen=True):
    """A bar: so many events came to a place (`name`, text or HTML), and the shares in which they went on.

    `verb` says how they came: received, matched.
    """

    name: object
    verb: str
    events: int
    shares: Sequence[Share]


def flow(stages: Sequence[Stage]) -> Html:
    """The bars, one below the other, all to the same scale."""
    most = max((_length(stage) for stage in stages), default=0)
    rows = "".join(_stage(stage, most) for stage in stages)
    return Html(f'<div class="flow" role="list">{rows}</div>')


def bar(pieces: Iterable[tuple[str, int, str]], *, width: float = 100, form: str = "") -> Html:
    """One bar of so many percent, of pieces: a class for the colour, how much, and what it is, on hover."""
    inner = "".join(
        f'<i class="{tone}" style="flex-grow:{amount}" title="{safe(title)}"></i>'
        for tone, amount, title in pieces
        if amount > 0
    )
    return Html(f'<div class="flow-line {form}"><div class="flow-bar" style="width:{width:.1f}%">{inner}</div></div>')


def _length(stage: Stage) -> int:
    return max(stage.events, sum(share.events for share in stage.shares))


def _stage(stage: Stage, most: int) -> str:
    whole = _length(stage)
    width = max(100 * whole / most, 1.5) if most and whole else 0
    pieces = [
        (share.tone, share.events, f"{share.name}: {count(share.events)} ({percent(share.events, whole)})")
        for share in stage.shares
    ]
    words = "".join(
        f'<span class="{share.tone if share.events else ""}"><i></i>{safe(share.name)} <b>{count(share.events)}</b>'
        f" {_share(share, whole)}</span>"
        for share in stage.shares
        if share.events > 0 or share.anchor
    )
    return (
        f'<div class="flow-stage" role="listitem"><div class="flow-name">{safe(stage.name)}</div>'
        f'<div class="flow-count"><b>{count(stage.events)}</b> {safe(stage.verb)}</div>'
        f"{bar(pieces, width=width)}"
        f'<div class="flow-words">{words}</div></div>'
    )


def _share(share: Share, whole: int) -> str:
    return f'<small class="soft">{percent(share.events, whole)}</small>' if 0 < share.events < whole else ""
