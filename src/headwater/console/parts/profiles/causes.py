"""Why an identifier belongs to a profile, and why two profiles are one: the event, when, from where, and by which rule.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headwater.console.parts.events.calls import type_chip
from headwater.console.parts.events.rows import trace_since
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.pieces import Html, link, safe
from headwater.console.parts.profiles.rows import identifier_html, short
from headwater.manage.operations.identity_rules import IdentifierTypeShape
from headwater.manage.people import CauseShape, IdentifierShape, MergeShape

_TIMES = {
    "DAILY": "a day",
    "WEEKLY": "a week",
    "MONTHLY": "a month",
    "ANNUALLY": "a year",
    "EVER": "ever",
}


class Around(msgspec.Struct, frozen=True):
    """What causes are shown with: names of sources, the viewer's zone, now (ms), and the rules by their types.

    `may_trace` says whether the viewer may follow an event.
    """

    sources: Mapping[str, str]
    zone: str
    now: int
    may_trace: bool
    rules: Mapping[str, IdentifierTypeShape]


def event_html(cause: CauseShape, around: Around) -> Html:
    """The event in a line, which leads to its trace."""
    name = short(cause.name, 40) if cause.name else ""
    told = f"{type_chip(cause.type)} {safe(name)}".strip()
    if not around.may_trace or not cause.message_id:
        return Html(f'<span title="{safe(cause.message_id)}">{told}</span>')
    return Html(
        f'<a href="/console{safe(trace_since(cause.message_id, cause.at, around.now))}" '
        f'title="{safe(cause.message_id)}">{told}</a>'
    )


def cause_html(cause: CauseShape, around: Around) -> Html:
    """The event, its moment and its source."""
    source = around.sources.get(cause.source_id, cause.source_id)
    where = link(source, f"/sources/{cause.source_id}") if cause.source_id in around.sources else Html(safe(source))
    return Html(f"{event_html(cause, around)} {moment_html(cause.at, around.zone)} from {where}")


def link_rule(link: IdentifierShape, around: Around) -> Html:
    """By which rule an identifier came to its profile."""
    matched = link.cause.matched
    how = (
        f"The event named it together with {identifier_html(matched)}, which led to this profile."
        if matched
        else "Nothing in the event was known yet, so the event made the profile."
    )
    return Html(f"{how} {_limit(link.type, around)}")


def merge_rule(merge: MergeShape, around: Around) -> Html:
    """By which rule two profiles became one."""
    both = f"{identifier_html(merge.left)} and {identifier_html(merge.right)}"
    if merge.cause.type == "alias":
        return Html(f"An alias call says that {both} are one, and the space merges on alias calls.")
    kinds = dict.fromkeys(one.partition(":")[0] for one in (merge.left, merge.right))
    limits = " ".join(_limit(kind, around) for kind in kinds)
    return Html(f"One event named {both}, and together they stay within the limits of every type. {limits}".strip())


def limit_words(rule: IdentifierTypeShape) -> str:
    """How many values of a type a profile may have, such as `at most 5 ever`."""
    return f"at most {count(rule.limit)} {_TIMES[rule.frequency]}"


def _limit(kind: str, around: Around) -> str:
    rule = around.rules.get(kind)
    if rule is None:
        return ""
    strength = f", priority {rule.priority}" if rule.priority is not None else ""
    return f'<span class="soft">{safe(kind)}: {limit_words(rule)}{strength}.</span>'
