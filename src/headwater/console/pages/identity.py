"""Identity rules: which identifiers make profiles, how many of each, and what other rules would do."""

from __future__ import annotations

import asyncio
import time

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.asking import ask_first
from headwater.console.parts.identity.blocks import Blocks
from headwater.console.parts.identity.rules import RulesForm
from headwater.console.parts.identity.trial import trial_html
from headwater.console.parts.identity.violations import Violations
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import attempt, html
from headwater.console.parts.profiles.causes import Around
from headwater.console.parts.profiles.spaces import chosen, no_space, source_names, space_field, spaces_of
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.identity_rules import (
    GetIdentityRules,
    IdentityRulesAnswer,
    SimulateIdentityRules,
    UpdateIdentityRules,
    get_identity_rules,
    simulate_identity_rules,
    update_identity_rules,
)

_EVENTS = {1_000: "the newest 1,000 events", 5_000: "the newest 5,000 events", 20_000: "the newest 20,000 events"}


@page("/identity", title="Identity rules", scope="spaces:read", menu=Entry("fingerprint", 34, key="i"))
async def identity(person: Person, space: str = "") -> None:
    for sheet in ("headline.css", "sources.css", "overview.css", "profiles.css"):
        use_styles(sheet)
    spaces = await spaces_of(person)
    here = chosen(spaces, space)
    if here is None:
        no_space()
        return
    rules, sources = await asyncio.gather(
        person.ask(get_identity_rules, GetIdentityRules(space_id=here.id)), source_names(person)
    )
    with ui.element("div").classes("row-line"):
        html(
            '<span class="soft">Events with the same identifier are of one profile. When an event names two profiles, '
            "they become one, unless a limit would be broken: then the weaker identifier is left out.</span>"
        ).classes("grow").style("min-width: min(320px, 100%)")
        space_field(spaces, here, "/identity")
    _Rules(person, here.slug, rules).build()
    if person.may("profiles:read"):
        now = time.time_ns() // 1_000_000
        kinds = {one.name: one for one in rules.identifiers}
        around = Around(sources, person.zone, now, person.may("events:read"), kinds)
        await Violations(person, here.slug, around).build()
        await Blocks(person, here.slug, around).build()


class _Rules:
    """The form, what it would do, and saving it."""

    def __init__(self, person: Person, space: str, rules: IdentityRulesAnswer) -> None:
        self._person = person
        self._space = space
        self._form = RulesForm(rules, self._touched)
        self._tried = False

    def build(self) -> None:
        """Place the form with its buttons, as far as the person may press them."""
        with ui.element("section").classes("card"):
            html('<h2>Identifier types</h2><p class="soft">The strongest first.</p>')
            self._form.build()
            with ui.element("div").classes("row-line rule-buttons"):
                if self._person.may("profiles:read"):
                    self._events = ui.select(_EVENTS, value=5_000, label="Try on").props("outlined dense")
                    self._events.style("min-width: 220px")
                    ui.button("Try these rules", icon="science", on_click=attempt(self._try)).props("outline")
                if self._person.may("spaces:write"):
                    self._save = ui.button("Save rules", on_click=self._ask)
                    self._save.disable()
            self._place = Patched().classes("trial")

    def _touched(self) -> None:
        self._tried = False
        if self._person.may("spaces:write"):
            self._save.enable()

    async def _try(self) -> None:
        wanted = self._form.wanted()
        if wanted is None:
            return
        self._place.show('<div class="skeleton" style="height:120px" aria-busy="true"></div>')
        kinds, alias = wanted
        try:
            found = await self._person.ask(
                simulate_identity_rules,
                SimulateIdentityRules(
                    space_id=self._space, identifiers=kinds, alias=alias, events=int(self._events.value or 5_000)
                ),
            )
        except Exception:
            self._place.show("")
            raise
        self._tried = True
        self._place.show(trial_html(found))

    def _ask(self) -> None:
        wanted = self._form.wanted()
        if wanted is None:
            return
        kinds, alias = wanted

        async def save() -> None:
            rules = UpdateIdentityRules(space_id=self._space, identifiers=kinds, alias=alias)
            await self._person.ask(update_identity_rules, rules)
            ui.notify("Saved. The rules count for the events that come from now on.", type="positive")
            self._save.disable()

        untried = "" if self._tried else " They were not tried on recent events."
        ask_first(
            "Save these rules?",
            f"They count for events that come from now on; profiles stay as they are.{untried}",
            "Save",
            save,
        )
