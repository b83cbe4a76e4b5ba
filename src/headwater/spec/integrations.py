"""The integrations object: which destinations the sender of an event wants it to reach (contract: connections 2.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast


def allows(integrations: Any, names: Iterable[str]) -> bool:
    """May the event reach a destination known under these names? Names are case-sensitive.

    A key of the destination decides (`false` refuses, anything else allows); without one, `All: false` refuses. Go's
    client writes `all`. What is not an object decides nothing (13.6).
    """
    if not isinstance(integrations, dict) or not integrations:
        return True
    wishes = cast("dict[str, Any]", integrations)
    for name in names:
        if name in wishes:
            return wishes[name] is not False
    return wishes.get("All", wishes.get("all", True)) is not False


def allows_warehouse(integrations: Any, warehouse_id: str) -> bool:
    """May the event be loaded into this warehouse? `All: false` does not matter to warehouses (2.4)."""
    if not isinstance(integrations, dict):
        return True
    wish = cast("dict[str, Any]", integrations).get("Warehouses")
    if wish is False:
        return False
    if not isinstance(wish, dict):
        return True
    wishes = cast("dict[str, Any]", wish)
    if isinstance(wishes.get("warehouseIds"), list):
        return warehouse_id in wishes["warehouseIds"]
    return wishes.get("all", wishes.get("All", True)) is not False


def bundled(metadata: Any) -> frozenset[str]:
    """The destinations that `_metadata` says the client served itself, by the names that it has for them (6.2)."""
    names = cast("dict[str, Any]", metadata).get("bundled") if isinstance(metadata, dict) else None
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in cast("list[Any]", names) if isinstance(name, str))
