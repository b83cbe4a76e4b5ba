"""The companies that a person belongs to, or the people of a company. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.parts.figures import count
from headwater.console.parts.pieces import Html, link, table_html
from headwater.console.parts.profiles.causes import Around, cause_html
from headwater.console.parts.profiles.rows import profile_path, short
from headwater.manage.operations.profiles import Related

MOST = 20
"""So many are listed; the others are counted."""


def related_html(found: Sequence[Related], names: dict[str, str], collection: str, space: str, around: Around) -> Html:
    """A card. `names` are what those listed are called, by their ids."""
    title, none = (
        ("Companies", "This person is in no company: a group call would say so.")
        if collection == "users"
        else ("People", "No group call has named somebody of this company.")
    )
    if not found:
        return Html(f'<section class="card"><h2>{title}</h2><p class="soft">{none}</p></section>')
    rows = [
        (
            link(short(names.get(one.profile_id, one.profile_id)), profile_path(space, one.profile_id)),
            cause_html(one.cause, around),
        )
        for one in found[:MOST]
    ]
    more = len(found) - len(rows)
    rest = f'<p class="soft">and {count(more)} more; the Profile API lists them.</p>' if more > 0 else ""
    table = table_html(("Name", "Since"), rows, label=title)
    return Html(
        f'<section class="card"><h2>{title} <small class="soft">{count(len(found))}</small></h2>{table}{rest}</section>'
    )
