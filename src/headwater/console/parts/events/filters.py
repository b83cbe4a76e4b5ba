"""The fields that choose which events the live view shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui

from headwater.console.parts.events.feed import Wanted
from headwater.console.parts.pieces import attempt

_TYPES = {"": "All types"} | {one: one for one in ("track", "identify", "page", "screen", "group", "alias")}


def live_filters(
    wanted: Wanted, sources: Mapping[str, str] | None, changed: Callable[[Wanted], Awaitable[None]]
) -> None:
    """Fields that begin with what is wanted. `sources` are names by id; None where there is no choice of them."""

    async def tell() -> None:
        chosen = Wanted(
            source=wanted.source if source is None else str(source.value or ""),
            type=str(type.value or ""),
            event=(event.value or "").strip(),
            user=(user.value or "").strip(),
            filter=(text.value or "").strip(),
        )
        await changed(chosen)

    again = attempt(tell)
    source: ui.select | None = None
    with ui.element("div").classes("live-filters"):
        text = _field("Search in events", wanted.filter, again).classes("search")
        if sources is not None:
            source = _choice({"": "All sources", **sources}, wanted.source, "Source", again)
        type = _choice(_TYPES, wanted.type, "Type", again)
        event = _field("Event name", wanted.event, again)
        user = _field("User or anonymous id", wanted.user, again)


def _field(label: str, value: str, again: Callable[[], Awaitable[None]]) -> ui.input:
    field = ui.input(placeholder=label, value=value, on_change=lambda: again())
    field.props("outlined dense clearable debounce=350")
    field.props["aria-label"] = label
    return field


def _choice(options: Mapping[str, str], value: str, label: str, again: Callable[[], Awaitable[None]]) -> ui.select:
    known = value if value in options else ""
    field = ui.select(dict(options), value=known, on_change=lambda: again()).props("outlined dense options-dense")
    field.props["aria-label"] = label
    return field
