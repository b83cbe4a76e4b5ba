"""The links between the parts of the settings."""

from __future__ import annotations

from typing import Final

from headwater.console.parts.headline import sections
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person

_PARTS: Final = (
    ("Workspace", "/settings", "workspace:read"),
    ("People", "/settings/people", "users:read"),
    ("Tokens", "/settings/tokens", "tokens:read"),
    ("Spaces", "/settings/spaces", "spaces:read"),
    ("Health", "/settings/health", "ledger:read"),
    ("Storage", "/settings/storage", "workspace:read"),
    ("Audit trail", "/settings/audit", "audit:read"),
)


def settings_head(person: Person, here: str) -> None:
    """Links to the parts of the settings that this person may see, with the style sheets that they need."""
    use_styles("headline.css")
    use_styles("overview.css")
    sections([(title, path) for title, path, scope in _PARTS if person.may(scope)], here)
