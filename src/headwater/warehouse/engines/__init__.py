"""Kinds of warehouses, one file each; the file's name is the engine's, and the folder is the catalogue.

Each file declares `definition = EngineDefinition(...)`. Its `open` gives a `Session`: one transaction, committed when
the block ends and rolled back when it raises. `headwater.contracts.warehouse` proves an engine.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from headwater.spec.destination import Field
from headwater.spec.errors import SetupError

if TYPE_CHECKING:
    from headwater.spec.settings import WarehouseSettings
    from headwater.warehouse.casting import ArrowTable, Kind
    from headwater.warehouse.tables import Capabilities, Existing


class Session(Protocol):
    """One transaction on a warehouse. Names are taken as they are, quoted.

    Every verb raises Unavailable when the warehouse goes away, and SetupError when it refuses.
    """

    def columns(self, schemas: Sequence[str]) -> dict[str, dict[str, Existing]]:
        """The tables of schemas with their columns, by schema. One without tables, or that is not there, is left out.

        Engines look through all that they have, so a load asks for all of its schemas at once.
        """
        ...

    def create(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """Make a table, and its schema if need be."""
        ...

    def add(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """Give a table more columns."""
        ...

    def known(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int]) -> set[str]:
        """Which of the ids the table holds already. `uuids` are their hashes, in the same order."""
        ...

    def rows(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> ArrowTable:
        """The rows with those ids, with all columns. `by` is the column that holds them; `uuid` has its hashes."""
        ...

    def delete(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> None:
        """Remove the rows with those ids, of which one may have many. `by` is as in `rows`."""
        ...

    def insert(self, schema: str, table: str, rows: ArrowTable) -> None:
        """Add rows; columns are matched by name, and those not given are null."""
        ...


class Place(msgspec.Struct, frozen=True):
    """Where an engine may keep files of its own, and the warehouse they are for."""

    folder: Path
    warehouse_id: str


def _fits_always(_settings: Mapping[str, Any]) -> None:
    return


class EngineDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of the catalogue declares. Settings are handed over with their secrets opened."""

    name: str
    description: str
    fields: tuple[Field, ...]
    capabilities: Callable[[], Capabilities]
    open: Callable[[dict[str, Any], Place], AbstractContextManager[Session]]
    check: Callable[[dict[str, Any], Place], None]
    """Raises SetupError or Unavailable, saying why, when the warehouse cannot be used."""

    local: bool = False
    """Is it in files of the host that loads it?"""

    fits: Callable[[Mapping[str, Any]], None] = _fits_always
    """Raises SetupError for settings that can never be used; looks nowhere."""


def names() -> list[str]:
    """The engines there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def definition(name: str) -> EngineDefinition:
    """The engine of that name; only its own driver is imported. Raises SetupError when there is none."""
    if name not in names():
        raise SetupError(f'There is no warehouse engine "{name}"; there are {", ".join(names())}.')
    found: EngineDefinition = import_module(f"{__name__}.{name}").definition
    return found


def usable(name: str, settings: WarehouseSettings) -> EngineDefinition:
    """The engine of that name. Raises SetupError when there is none, and when hosts that share the work could not."""
    found = definition(name)
    if found.local and not settings.duckdb:
        raise SetupError(
            f"A {found.name} warehouse lives in files of one host, and other hosts would load and read others. Make "
            "one of another kind, such as PostgreSQL; an SQL query over `events` needs none."
        )
    return found
