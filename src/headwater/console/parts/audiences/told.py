"""Whom an audience or computed trait is told to: the connections, how they are told, and adding one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from headwater.console.parts.asking import ask_first
from headwater.console.parts.audiences.asks import NOUNS, Shown
from headwater.console.parts.audiences.connecting import ConnectionForm, Targets, targets_of
from headwater.console.parts.audiences.told_rows import connections_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, html, link
from headwater.console.person import Person
from headwater.manage.operations.activations import ListActivationsFromAudience, list_activations_from_audience
from headwater.manage.operations.computations import ResyncAudience, resync_audience
from headwater.manage.operations.connections import (
    AddDestinationToAudience,
    AddDestinationToComputedTrait,
    ConnectionShape,
    ListDestinationsFromAudience,
    ListDestinationsFromComputedTrait,
    RemoveDestinationFromAudience,
    RemoveDestinationFromComputedTrait,
    TargetInput,
    UpdateDestinationForAudience,
    UpdateDestinationForComputedTrait,
    add_destination_to_audience,
    add_destination_to_computed_trait,
    list_destinations_from_audience,
    list_destinations_from_computed_trait,
    remove_destination_from_audience,
    remove_destination_from_computed_trait,
    update_destination_for_audience,
    update_destination_for_computed_trait,
)
from headwater.manage.operations.spaces import SpaceShape
from headwater.manage.paging import Pagination

_ADDED = "act_"
"""What the ids of calls begin with that were set up one by one."""


class Told:
    """The card on one page."""

    def __init__(self, person: Person, space: SpaceShape, shown: Shown, id_types: list[str]) -> None:
        self._person = person
        self._space = space
        self._shown = shown
        self._id_types = id_types
        self._may = person.may("audiences:write")
        self._found: dict[str, ConnectionShape] = {}
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Told to</h2>").classes("grow")
                if self._may:
                    add = ui.button("Connect", icon="add", on_click=attempt(self._add))
                    add.props("outline dense")
            self._table = Patched().on_press(self._pressed)

    async def look(self) -> None:
        """Ask anew, and show it."""
        found = await self._connections()
        self._found = {one.id: one for one in found}
        calls: dict[str, int] = {}
        if self._shown.kind == "audience" and found:
            wanted = ListActivationsFromAudience(
                space_id=self._space.id, audience_id=self._shown.id, pagination=Pagination(count=1_000)
            )
            for one in (await self._person.ask(list_activations_from_audience, wanted)).activations:
                if one.id.startswith(_ADDED):
                    calls[one.connection_id] = calls.get(one.connection_id, 0) + 1
        self._table.show(connections_html(self._shown.kind, found, calls, may=self._may) if found else self._nobody())

    async def _connections(self) -> list[ConnectionShape]:
        if self._shown.kind == "audience":
            wanted = ListDestinationsFromAudience(space_id=self._space.id, audience_id=self._shown.id)
            return (await self._person.ask(list_destinations_from_audience, wanted)).connections
        of_trait = ListDestinationsFromComputedTrait(space_id=self._space.id, id=self._shown.id)
        return (await self._person.ask(list_destinations_from_computed_trait, of_trait)).connections

    def _nobody(self) -> Html:
        moves = "who enters and leaves" if self._shown.kind == "audience" else "each value when it changes"
        profile = link("Profile API", "/settings/spaces")
        return Html(
            f'<p class="soft">Nobody is told yet. A destination that is connected is told {moves}, and first of all '
            f"who stands in it now. The profiles and the {profile} have it anyway.</p>"
        )

    async def _pressed(self, verb: str, of: str) -> None:
        one = self._found.get(of)
        if one is None:
            return
        match verb:
            case "resync":
                ask_first(
                    f"Tell {one.name} everything again?",
                    f"Every call that stands is made once more, for each of {self._shown.size:,} profiles.",
                    "Tell again",
                    lambda: self._resync(one),
                )
            case "on" | "off":
                await self._update(one, enabled=verb == "on")
            case "change":
                self._form(Targets(), lambda form: self._save(one, form), one)
            case "remove":
                about = "It is told no more. What it was told so far stays there."
                ask_first(f"Remove {one.name}?", about, "Remove", lambda: self._remove(one))
            case _:
                return

    async def _add(self) -> None:
        targets = await targets_of(self._person, self._space.id, {one.destination_id for one in self._found.values()})
        self._form(targets, self._connect)

    def _form(
        self,
        targets: Targets,
        save: Callable[[ConnectionForm], Awaitable[None]],
        before: ConnectionShape | None = None,
    ) -> None:
        of_accounts = self._shown.level == "ACCOUNTS"
        ConnectionForm(self._shown.kind, self._id_types, targets, save, before, of_accounts=of_accounts)

    async def _connect(self, form: ConnectionForm) -> None:
        target = TargetInput(id=form.target_id, type="warehouse" if form.is_warehouse else "destination")
        if self._shown.kind == "audience":
            request = AddDestinationToAudience(
                space_id=self._space.id,
                audience_id=self._shown.id,
                destination=target,
                id_sync_configuration=form.id_sync(),
                connection_settings=form.settings(),
            )
            await self._person.ask(add_destination_to_audience, request)
        else:
            of_trait = AddDestinationToComputedTrait(
                space_id=self._space.id,
                id=self._shown.id,
                destination=target,
                id_sync_configuration=form.id_sync(),
                connection_settings=form.settings(),
            )
            await self._person.ask(add_destination_to_computed_trait, of_trait)
        ui.notify(f"Connected. It is told first what stands in the {NOUNS[self._shown.kind]} now.", type="positive")
        await self.look()

    async def _save(self, one: ConnectionShape, form: ConnectionForm) -> None:
        if self._shown.kind == "audience":
            request = UpdateDestinationForAudience(
                space_id=self._space.id,
                audience_id=self._shown.id,
                destination_id=one.id,
                id_sync_configuration=form.id_sync(),
                connection_settings=form.settings(),
            )
            await self._person.ask(update_destination_for_audience, request)
        else:
            of_trait = UpdateDestinationForComputedTrait(
                space_id=self._space.id,
                id=self._shown.id,
                destination_id=one.id,
                id_sync_configuration=form.id_sync(),
                connection_settings=form.settings(),
            )
            await self._person.ask(update_destination_for_computed_trait, of_trait)
        ui.notify("Saved. It counts for what changes from now on.", type="positive")
        await self.look()

    async def _update(self, one: ConnectionShape, *, enabled: bool) -> None:
        if self._shown.kind == "audience":
            request = UpdateDestinationForAudience(
                space_id=self._space.id, audience_id=self._shown.id, destination_id=one.id, enabled=enabled
            )
            await self._person.ask(update_destination_for_audience, request)
        else:
            of_trait = UpdateDestinationForComputedTrait(
                space_id=self._space.id, id=self._shown.id, destination_id=one.id, enabled=enabled
            )
            await self._person.ask(update_destination_for_computed_trait, of_trait)
        await self.look()

    async def _resync(self, one: ConnectionShape) -> None:
        again = ResyncAudience(space_id=self._space.id, id=self._shown.id, connection_id=one.id)
        await self._person.ask(resync_audience, again)
        ui.notify(f"{one.name} is told everything again.", type="positive")
        await self.look()

    async def _remove(self, one: ConnectionShape) -> None:
        if self._shown.kind == "audience":
            request = RemoveDestinationFromAudience(
                space_id=self._space.id, audience_id=self._shown.id, destination_id=one.id
            )
            await self._person.ask(remove_destination_from_audience, request)
        else:
            of_trait = RemoveDestinationFromComputedTrait(
                space_id=self._space.id, id=self._shown.id, destination_id=one.id
            )
            await self._person.ask(remove_destination_from_computed_trait, of_trait)
        await self.look()
