"""What an audience or computed trait says, to be read. Pure."""

from __future__ import annotations

from headwater.console.parts.audiences.asks import Shown
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.pieces import Html, copyable, safe


def definition_html(shown: Shown, zone: str) -> Html:
    """A card with the query, and who and how much of the past it looks at."""
    if not shown.history:
        past = "Only events that came after it was made."
    elif shown.days:
        past = f"Events of the last {count(shown.days)} days before it was made, and all since."
    else:
        past = "All events that ever came."
    pairs = [("History", past)]
    if shown.kind == "audience":
        known = ", ".join(shown.known_by)
        pairs.append(("Looks at", f"profiles with one of {known}" if known else "all profiles"))
    elif shown.anonymous:
        pairs.append(("Tells", "identifiers of anonymous people too"))
    lines = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in pairs)
    moments = (
        f"<dt>Made</dt><dd>{moment_html(shown.created_at, zone)}</dd>"
        f"<dt>Changed</dt><dd>{moment_html(shown.updated_at, zone)}</dd>"
    )
    return Html(
        f'<section class="card definition"><h2>Definition</h2>{copyable(shown.query)}'
        f'<dl class="facts">{lines}{moments}</dl></section>'
    )
