"""The dialog in which a destination is connected, or how it is told is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Literal, cast

import msgspec
from nicegui import ui

from headwater.console.parts.asking import outlasting
from headwater.console.parts.audiences.asks import Kind
from headwater.console.parts.audiences.told_rows import ACCOUNTS_AS, NAMES, STRATEGIES, settings_of, words
from headwater.console.parts.pieces import html, link
from headwater.console.person import Person
from headwater.manage.operations.connections import ConnectionShape
from headwater.manage.operations.destinations import ListDestinations, list_destinations
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.operations.warehouses import ListWarehouses, list_warehouses
from headwater.manage.paging import Pagination
from headwater.spec.computation import ENGAGE, MAX_ID_SYNC, AccountsAs, IdSync

_ALL = Pagination(count=1_000)
_WAREHOUSE = "warehouse:"


class Targets(msgspec.Struct, frozen=True):
    """What can be connected, by id with its name; ids of warehouses have a mark. `source_id` is the space's own."""

    names: Mapping[str, str] = {}
    source_id: str = ""
    source_name: str = ""


async def targets_of(person: Person, space_id: str, connected: Collection[str]) -> Targets:
    """Destinations of the space's own source and warehouses that are not connected yet, as far as one may see them."""

    async def nothing() -> list[Any]:
        return []

    async def of_sources() -> list[Any]:
        return (await person.ask(list_sources, ListSources(pagination=_ALL))).sources

    async def of_destinations() -> list[Any]:
        return (await person.ask(list_destinations, ListDestinations(pagination=_ALL))).destinations

    async def of_warehouses() -> list[Any]:
        return (await person.ask(list_warehouses, ListWarehouses(pagination=_ALL))).warehouses

    sources, destinations, warehouses = await asyncio.gather(
        of_sources() if person.may("sources:read") else nothing(),
        of_destinations() if person.may("destinations:read") else nothing(),
        of_warehouses() if person.may("warehouses:read") else nothing(),
    )
    own = [one for one in sources if one.metadata.id == ENGAGE and one.settings.get("spaceId") == space_id]
    names = {
        one.id: f"{one.name} ({one.metadata.name})"
        for one in destinations
        if one.id not in connected and own and one.source_id == own[0].id
    }
    names |= {f"{_WAREHOUSE}{one.id}": f"{one.name} (warehouse)" for one in warehouses if one.id not in connected}
    return Targets(names, own[0].id if own else "", own[0].name if own else "")


class ConnectionForm:
    """The dialog, open at once. `save` is called with it when its button is pressed; refusals are told."""

    def __init__(
        self,
        kind: Kind,
        id_types: list[str],
        targets: Targets,
        save: Callable[[ConnectionForm], Awaitable[None]],
        before: ConnectionShape | None = None,
        *,
        of_accounts: bool = False,
    ) -> None:
        self._kind: Kind = kind
        self._of_accounts = of_accounts
        self._id_types = id_types
        self._before = before
        settings = (before.connection_settings if before else None) or {}
        with ui.dialog(value=True) as self._dialog, ui.card().classes("form wide-card"):
            self._dialog.on("hide", self._dialog.delete)
            html(f"<h2>{'How it is told' if before else 'Connect a destination'}</h2>")
            self._place_target(targets)
            self._place_calls(settings)
            self._place_ids(before.id_sync_configuration if before else ())
            with ui.element("div").classes("row-line").style("justify-content: flex-end; width: 100%"):
                ui.button("Cancel", on_click=self._dialog.close).props("flat")
                go = ui.button("Save" if before else "Connect", on_click=self._send(save))
                go.set_enabled(before is not None or bool(targets.names))

    @property
    def target_id(self) -> str:
        """What is to be connected."""
        return str(self._target.value).removeprefix(_WAREHOUSE)

    @property
    def is_warehouse(self) -> bool:
        """Is that a warehouse?"""
        return str(self._target.value).startswith(_WAREHOUSE)

    def settings(self) -> dict[str, Any]:
        """The settings that the form shows."""
        return settings_of(
            self._before.connection_settings if self._before else None,
            identify=bool(self._identify.value),
            track=bool(self._track.value),
            mobile=bool(self._mobile.value),
            names={key: field.value or "" for key, field in self._names.items()},
            traits=words(self._traits.value or ""),
            accounts_as=cast("AccountsAs", self._accounts_as.value) if self._of_accounts else None,
        )

    def id_sync(self) -> list[IdSync]:
        """The identifiers that the form shows; none is every user id and e-mail."""
        return [row.wanted() for row in self._rows]

    def _send(self, save: Callable[[ConnectionForm], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            await save(self)
            self._dialog.close()

        run = outlasting(work)

        async def go() -> None:
            if self._before is None and not self._target.value:
                self._target.error = "Choose one."
                return
            await run()

        return go

    def _place_target(self, targets: Targets) -> None:
        if self._before is not None:
            return
        first = next(iter(targets.names), None)
        self._target = ui.select(dict(targets.names), value=first, label="Destination or warehouse")
        self._target.props("outlined dense options-dense")
        self._target.set_visibility(bool(targets.names))
        if targets.source_id:
            source = f"?source={targets.source_id}"
            make = f"{link('Make a webhook', f'/destinations/catalog/webhook{source}')} or "
            make += f"{link('another of the catalogue', '/destinations/catalog')} on the source "
            html(f'<div class="soft">Destinations of the source {link(targets.source_name, "/sources")} can be told. '
                 f"{make}first, if yours is missing.</div>")  # fmt: skip

    def _place_calls(self, settings: Mapping[str, Any]) -> None:
        whole = "the value as a trait" if self._of_accounts else "identify call: the value as a trait"
        self._identify = ui.checkbox(whole, value=settings.get("sendIdentify", True))
        if self._of_accounts:
            chosen = settings.get("accountsAs", "group")
            self._accounts_as = ui.select(dict(ACCOUNTS_AS), value=chosen, label="The value is told by")
            self._accounts_as.props("outlined dense options-dense").bind_visibility_from(self._identify, "value")
        self._track = ui.checkbox("track call: an event for each change", value=settings.get("sendTrack", True))
        self._names: dict[str, ui.input] = {}
        for key, (label, default) in NAMES[self._kind].items():
            field = ui.input(label, value=str(settings.get(key) or ""), placeholder=default)
            field.props("outlined dense stack-label maxlength=200")
            field.bind_visibility_from(self._track, "value")
            self._names[key] = field
        self._mobile = ui.checkbox("ids of telephones go along", value=bool(settings.get("mobileIds")))
        given: Any = settings.get("traits") or []
        self._traits = ui.input("Traits that go along, separated by commas", value=", ".join(map(str, given)))
        self._traits.props("outlined dense maxlength=2000 autocomplete=off")

    def _place_ids(self, before: Collection[IdSync]) -> None:
        html("<h3>By which identifiers</h3>")
        self._rows: list[_Sync] = []
        self._sync = ui.element("div").classes("stack")
        self._none = html('<div class="soft">Every user id and e-mail, one message for each.</div>')
        self._add_sync = ui.button("Choose identifiers", icon="add", on_click=lambda: self._sync_row(None))
        self._add_sync.props("flat dense no-caps").style("align-self: flex-start")
        for one in before:
            self._sync_row(one)
        self._count_sync()

    def _sync_row(self, before: IdSync | None) -> None:
        with self._sync:
            self._rows.append(_Sync(self._id_types, before, self._drop_sync))
        self._count_sync()

    def _drop_sync(self, row: _Sync) -> None:
        self._rows.remove(row)
        self._sync.remove(row.element)
        self._count_sync()

    def _count_sync(self) -> None:
        self._none.set_visibility(not self._rows)
        self._add_sync.set_visibility(len(self._rows) < MAX_ID_SYNC)


class _Sync:
    """One identifier type that is told."""

    def __init__(self, types: list[str], before: IdSync | None, drop: Callable[[_Sync], None]) -> None:
        known = dict.fromkeys([*types, *([before.external_id] if before else [])])
        with ui.element("div").classes("sync-line") as self.element:
            self._strategy = ui.select(dict(STRATEGIES), value=before.strategy if before else "last")
            self._type = ui.select(list(known), value=before.external_id if before else next(iter(known), None))
            self._as = ui.input("told as", value=before.map_to if before else "")
            for field in (self._strategy, self._type, self._as):
                field.props("outlined dense options-dense hide-bottom-space")
            self._strategy.props["aria-label"] = "Which value"
            self._type.props["aria-label"] = "Identifier type"
            button = ui.button(icon="close", on_click=lambda: drop(self)).props("flat dense round size=sm")
            button.props["aria-label"] = "Remove this identifier"

    def wanted(self) -> IdSync:
        """The row as it is asked for."""
        strategy = cast("Literal['first', 'last', 'all']", self._strategy.value)
        return IdSync(external_id=str(self._type.value or ""), strategy=strategy, map_to=(self._as.value or "").strip())
