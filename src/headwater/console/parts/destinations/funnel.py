"""What became of the events that reached a destination, as bars from matched to delivered. Pure (8.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headwater.console.parts.figures import count, percent
from headwater.console.parts.pieces import Html, safe
from headwater.manage.operations.ledger import Account
from headwater.spec.outcome import Step

STEPS: tuple[tuple[Step, str, str, str], ...] = (
    (Step.MATCHED, "Matched", "accent", "Events that the destination had to decide on."),
    (Step.FILTERED_AT_DESTINATION, "Filtered at destination", "soft", "Kept back by a rule, the event, or its type."),
    (Step.PENDING, "Pending", "warn", "Wait for another try, or until the destination is resumed."),
    (Step.FAILED_DELIVERY, "Failed delivery", "bad", "Given up; they can be sent again."),
    (Step.DELIVERED, "Delivered", "good", "The destination took them."),
)


def sums(accounts: Iterable[Account]) -> dict[str, int]:
    """Events by step over the accounts of one destination. What waits from before the time asked for is not in it."""
    found: dict[str, int] = {}
    for account in accounts:
        for step, events in account.steps.items():
            found[step] = found.get(step, 0) + events
    return found


def funnel(steps: Mapping[str, int], *, as_percent: bool) -> Html:
    """A bar for each step, its length a share of all that matched."""
    whole = steps.get(Step.MATCHED, 0)
    rows = "".join(_bar(row, steps.get(row[0], 0), whole, as_percent=as_percent) for row in STEPS)
    return Html(f'<div class="funnel" role="list" aria-label="What became of the events">{rows}</div>')


def _bar(row: tuple[Step, str, str, str], events: int, whole: int, *, as_percent: bool) -> str:
    _, name, tone, hint = row
    share = 0.0 if whole <= 0 else min(100.0, max(0.0, 100 * events / whole))
    bar = f'<i class="{tone}" style="width:{share:.2f}%"></i>' if share else ""
    figures = (percent(max(0, events), whole), count(events))
    shown, other = figures if as_percent else figures[::-1]
    return (
        f'<div role="listitem" title="{safe(hint)}"><span>{safe(name)}</span>'
        f'<div class="track">{bar}</div>'
        f'<b class="number">{shown}</b><small class="number">{other}</small></div>'
    )
