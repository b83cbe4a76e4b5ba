"""What a definition refers to, and which audiences refer to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from headwater.console.parts.audiences.asks import NOUNS, Shown, find_all, path_of
from headwater.console.parts.pieces import Html, chip, link, safe
from headwater.console.parts.profiles.rows import short
from headwater.console.person import Person
from headwater.manage.operations.audiences import (
    ListAudienceConsumers,
    list_audience_consumers_from_space_and_audience,
)
from headwater.manage.operations.computations import CheckQuery, CheckQueryAnswer, check_query
from headwater.manage.operations.spaces import SpaceShape
from headwater.manage.paging import Pagination

_MOST = 50


async def refers_html(person: Person, shown: Shown, space: SpaceShape) -> Html:
    """A card with both, as links where there is a page."""
    wanted = CheckQuery(space_id=space.id, query=shown.query, kind=shown.kind, level=shown.level)
    found = await person.ask(check_query, wanted)
    paths: dict[str, str] = {}
    if found.audiences or found.computed_traits:
        everything = await asyncio.gather(find_all(person, "audience", space.id), find_all(person, "trait", space.id))
        paths = {one.key: path_of(one.kind, space.slug, one.id) for all_of, _ in everything for one in all_of}
    consumers: list[tuple[str, str]] = []
    if shown.kind == "audience":
        asked = ListAudienceConsumers(space_id=space.id, id=shown.id, pagination=Pagination(count=_MOST))
        answer = await person.ask(list_audience_consumers_from_space_and_audience, asked)
        consumers = [(one.name, path_of("audience", space.slug, one.id)) for one in answer.audiences]
    return told_html(shown, found, paths, consumers)


def told_html(
    shown: Shown, found: CheckQueryAnswer, paths: Mapping[str, str], consumers: Iterable[tuple[str, str]]
) -> Html:
    """The card. `paths` are the pages of audiences and computed traits by key. Pure."""
    pairs = [
        ("Events", [chip(short(one, 60)) for one in found.events[:_MOST]]),
        ("Traits", [chip(short(one, 60)) for one in found.traits[:_MOST]]),
        ("Audiences", [_named(one, paths) for one in found.audiences[:_MOST]]),
        ("Computed traits", [_named(one, paths) for one in found.computed_traits[:_MOST]]),
        ("Used by", [link(short(name, 60), path) for name, path in consumers]),
    ]
    lines = "".join(f"<dt>{name}</dt><dd>{' '.join(items)}</dd>" for name, items in pairs if items)
    nothing = f'<p class="soft">No other audience refers to this {NOUNS[shown.kind]}.</p>' if not lines else ""
    return Html(f'<section class="card"><h2>Refers to</h2><dl class="facts">{lines}</dl>{nothing}</section>')


def _named(key: str, paths: Mapping[str, str]) -> Html:
    return link(short(key, 60), paths[key]) if key in paths else Html(safe(short(key, 60)))
