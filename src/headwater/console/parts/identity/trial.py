"""What other rules would have made of the newest events, beside what those in force make of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.parts.figures import count
from headwater.console.parts.pieces import Html, safe, table_html
from headwater.console.parts.profiles.rows import identifier_html
from headwater.manage.operations.identity_rules import SimulateIdentityRulesAnswer, TrialShape
from headwater.spec.graph import MEANINGS

_EXAMPLES = 10
_NAMED = 6


def trial_html(found: SimulateIdentityRulesAnswer) -> Html:
    """The comparison: figures, violations by kind, and examples of what would merge or split."""
    if not found.events:
        return Html(
            '<div class="notice" role="status">There are no events of this space in the log to try the rules on.</div>'
        )
    same = not found.would_merge and not found.would_split
    said = "The same profiles come of it." if same else _said(found)
    rows = [
        ("Profiles", *_pair(found.now.profiles, found.then.profiles)),
        ("Merges", *_pair(found.now.merges, found.then.merges)),
        *_violations(found.now, found.then),
    ]
    heads = (f"Of {count(found.events)} events", "Rules in force", "These rules", "Difference")
    return Html(
        f'<div class="notice {"" if same else "warning"}" role="status">{said}</div>'
        f"{table_html(heads, rows, right=(1, 2, 3), label='What would change')}"
        f"{_examples('These would be one profile', found.merged, found.would_merge, 'and')}"
        f"{_examples('These would fall apart', found.split, found.would_split, 'apart from')}"
        '<p class="soft">Both sets of rules began with nobody known, and nothing was written.</p>'
    )


def _said(found: SimulateIdentityRulesAnswer) -> str:
    together, asunder = _profiles(found.would_merge), _profiles(found.would_split)
    return f"{together} would be made of several; {asunder.lower()} would fall apart."


def _profiles(number: int) -> str:
    return "1 profile" if number == 1 else f"{count(number) if number else 'No'} profiles"


def _pair(now: int, then: int) -> tuple[str, str, Html]:
    by = then - now
    return count(now), count(then), Html(f'<span class="soft">{f"{by:+,}" if by else "–"}</span>')


def _violations(now: TrialShape, then: TrialShape) -> list[tuple[object, ...]]:
    kinds = sorted(now.violations.keys() | then.violations.keys())
    return [
        (MEANINGS.get(kind, kind), *_pair(now.violations.get(kind, 0), then.violations.get(kind, 0))) for kind in kinds
    ]


def _examples(title: str, found: Sequence[Sequence[Sequence[str]]], total: int, between: str) -> str:
    if not found:
        return ""
    shown = "".join(f"<li>{_example(one, between)}</li>" for one in found[:_EXAMPLES])
    more = total - min(len(found), _EXAMPLES)
    rest = f'<li class="soft">and {count(more)} more</li>' if more > 0 else ""
    return f'<h3>{title}</h3><ul class="trial-examples">{shown}{rest}</ul>'


def _example(parts: Sequence[Sequence[str]], between: str) -> str:
    """The identifiers of each part."""
    shown = (
        " ".join(str(identifier_html(one, 40)) for one in part[:_NAMED])
        + (f" <small>+{len(part) - _NAMED}</small>" if len(part) > _NAMED else "")
        for part in parts[:_NAMED]
    )
    more = f' <small class="soft">and {len(parts) - _NAMED} more</small>' if len(parts) > _NAMED else ""
    return f' <span class="soft">{safe(between)}</span> '.join(shown) + more
