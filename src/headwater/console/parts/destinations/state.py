"""In which state a destination is, in a word and a colour. Pure."""

from __future__ import annotations

from headwater.console.parts.pieces import Html, Tone, chip
from headwater.manage.operations.overview import DestinationOverview


def state_of(one: DestinationOverview) -> tuple[str, Tone]:
    """What a person wants to know first: does it work, and if not, who has to do something?"""
    if one.credentials_refused:
        return "credentials refused", "bad"
    if not one.enabled:
        return "switched off", ""
    if one.paused:
        return "paused", "warn"
    if _is_failing(one):
        return "failing", "bad"
    return "enabled", "good"


def state_chip(one: DestinationOverview) -> Html:
    """The state as a chip."""
    word, tone = state_of(one)
    return chip(word, tone)


def _is_failing(one: DestinationOverview) -> bool:
    """Nothing gets through although something should, or the last failure is newer than the last delivery."""
    if one.delivered == 0:
        return one.failed > 0 or one.pending > 0
    last = one.last_failure.at if one.last_failure is not None else ""
    return one.failed > 0 and last > (one.last_delivered_at or "")
