"""Fills `context.campaign` from the UTM parameters of the page's address, as the browser library does for its events
(contract: connections 4.8).

Any parameter that starts with `utm_` counts, by the rest of its name, and `utm_campaign` gives the campaign's `name`.
A campaign of the sender's is never mixed with one that was read off an address.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast
from urllib.parse import unquote_plus

from headwater.pipeline.enrich import Assets, Enrich, EnrichmentDefinition
from headwater.spec.event import Event
from headwater.spec.wire import JSON

_LONGEST_QUERY = 4_096
_MOST_PARAMETERS = 100
_MOST_FACTS = 20
_LONGEST_NAME = 64


def _build(_assets: Assets) -> Enrich:
    return _add


def _add(event: Event) -> None:
    context = event.body["context"]
    page = context.get("page")
    if not isinstance(page, dict):
        return
    place = cast("dict[str, JSON]", page)
    query = _query(place.get("search"), place.get("url"))
    if query and context.get("campaign") in (None, {}):
        campaign = read(query)
        if campaign:
            context["campaign"] = campaign.copy()


def _query(search: JSON, url: JSON) -> str:
    """The query with UTM parameters: that of the page, else that of its address, else nothing."""
    if isinstance(search, str) and "utm_" in search:
        return search.removeprefix("?")
    if isinstance(url, str) and "utm_" in url:
        return url.partition("#")[0].partition("?")[2]
    return ""


@lru_cache(maxsize=1_000)
def read(query: str) -> dict[str, str]:
    """The campaign that a query names; empty parameters name nothing, and of equal ones the last counts.

    The answer is shared by all who ask: copy it.
    """
    if len(query) > _LONGEST_QUERY:
        query = query[:_LONGEST_QUERY].rpartition("&")[0]
    campaign: dict[str, str] = {}
    for parameter in query.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS]:
        name, _, value = parameter.partition("=")
        if value and name.startswith("utm_") and 4 < len(name) <= _LONGEST_NAME and len(campaign) < _MOST_FACTS:
            fact = name[4:]
            if "%" in value or "+" in value:
                value = unquote_plus(value, errors="replace")
            campaign["name" if fact == "campaign" else fact] = value
    return campaign


definition = EnrichmentDefinition(
    name="campaign",
    description="Fills the campaign from the UTM parameters of the page's address.",
    reads=("context.page.search", "context.page.url"),
    adds=(
        ("context.campaign.name", "The value of utm_campaign."),
        ("context.campaign.source", "The value of utm_source."),
        ("context.campaign.medium", "The value of utm_medium."),
        ("context.campaign.term", "The value of utm_term."),
        ("context.campaign.content", "The value of utm_content."),
        ("context.campaign.*", "The value of any other parameter that starts with utm_, by the rest of its name."),
    ),
    build=_build,
)
