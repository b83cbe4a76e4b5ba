"""What each path of the tracking API asks for (contract: connections 1.2, clients 1.3)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Form = Literal["single", "batch", "pixel", "metrics", "settings", "health"]


class Route(msgspec.Struct, frozen=True):
    """A path's meaning. `kind` is the event type, or `batch`; `direct` says that clients themselves call it (1.12).

    `key` is the write key that stands in the path of a source's settings.
    """

    form: Form
    kind: str = ""
    direct: bool = False
    key: str = ""

    @property
    def method(self) -> str:
        """The one method that does something here."""
        return "POST" if self.form in ("single", "batch", "metrics") else "GET"


_TYPES: Final = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias"}
_SETTINGS_PREFIXES: Final = ("/v1/projects/", "/projects/")


def _table() -> dict[str, Route]:
    table = {
        "/v1/batch": Route("batch", "batch"),
        "/v1/import": Route("batch", "batch"),
        "/v1/b": Route("batch", "batch", direct=True),
        "/v1/m": Route("metrics"),
        "/health": Route("health"),
    }
    for letter, kind in _TYPES.items():
        table[f"/v1/{kind}"] = Route("single", kind)
        table[f"/v1/{letter}"] = Route("single", kind, direct=True)
        table[f"/v1/pixel/{kind}"] = Route("pixel", kind, direct=True)
    return table | {f"{path}/": route for path, route in table.items()}


ROUTES: Final = _table()
CALLS: Final = {path: route for path, route in ROUTES.items() if route.form in ("single", "batch")}
"""The paths whose bodies are kept."""


def find(path: str) -> Route | None:
    """The route of a path, with or without a slash at its end; None for a path that means nothing."""
    route = ROUTES.get(path)
    if route is None:
        for prefix in _SETTINGS_PREFIXES:
            if path.startswith(prefix):
                key, slash, rest = path.removeprefix(prefix).rstrip("/").partition("/")
                if key and slash and rest == "settings":
                    return Route("settings", key=key)
    return route
