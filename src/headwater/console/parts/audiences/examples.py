"""What to begin with: definitions that are ready to be tried and changed."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from headwater.console.parts.audiences.asks import Kind, path_of
from headwater.console.parts.pieces import Html, safe


class Example(msgspec.Struct, frozen=True):
    """A definition with a name, and what it is for."""

    name: str
    why: str
    query: str


EXAMPLES: Final[dict[Kind, tuple[Example, ...]]] = {
    "audience": (
        Example(
            "Loyal Buyers",
            "Two orders or more in the last 30 days: whom to thank.",
            "event('Order Completed').within(30 days).count() >= 2",
        ),
        Example(
            "Cart Left Behind",
            "Looked into the cart this week and ordered nothing: whom to remind.",
            "event('Cart Viewed').within(7 days).count() >= 1 AND event('Order Completed').within(7 days).count() = 0",
        ),
        Example(
            "Paying Teams",
            "On a paid plan, by a trait: whom to keep out of advertisements.",
            "trait('plan').one_of('pro', 'enterprise')",
        ),
    ),
    "trait": (
        Example(
            "Lifetime Revenue",
            "What all orders of somebody come to.",
            "event('Order Completed').sum(property('revenue'))",
        ),
        Example(
            "Favourite Category",
            "What somebody looks at most, of the last 90 days.",
            "event('Product Viewed').within(90 days).mode(property('category'), 2)",
        ),
        Example("Last Page", "Where somebody was last.", "event('Page Viewed').last(property('path'))"),
    ),
}


def examples_html(kind: Kind, space: str, *, may_make: bool) -> Html:
    """Where there is none yet: what one is, and three to begin with."""
    what = (
        "<b>No audiences yet</b>An audience is everybody who meets a condition on what they did and what is known of "
        "them. People enter and leave it as events come, and destinations are told."
        if kind == "audience"
        else "<b>No computed traits yet</b>A computed trait is a value worked out of somebody's events: a sum, the "
        "most frequent, the first. It shows on the profile, counts in audiences, and destinations are told."
    )
    made = "".join(_card(kind, space, one, may_make=may_make) for one in EXAMPLES[kind])
    return Html(f'<div class="empty">{what}</div><div class="kinds examples">{made}</div>')


def _card(kind: Kind, space: str, one: Example, *, may_make: bool) -> str:
    inner = f"<div><b>{safe(one.name)}</b><p>{safe(one.why)}</p><code>{safe(one.query)}</code></div>"
    if not may_make:
        return f'<div class="kind">{inner}</div>'
    path = f"{path_of(kind, space, part='new')}?{urlencode({'name': one.name, 'query': one.query})}"
    return f'<a class="kind" href="/console{safe(path)}">{inner}</a>'
