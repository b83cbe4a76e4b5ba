"""What each path of the tracking API asks for (contract: connections 1.2, clients 1.3)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Form = Literal["single", "batch", "pixel", "metrics", "settings", "script", "health"]


class Route(msgspec.Struct, frozen=True):
    """A path's meaning. `kind` is the event type, or `batch`; `direct` says that clients themselves call it (1.12).

    `key` is the write key that stands in the path of a source's settings or script; `file` is the script's name, and
    `version` that which the path asks for, if any.
    """

    form: Form
    kind: str = ""
    direct: bool = False
    key: str = ""
    file: str = ""
    version: str = ""

    @property
    def method(self) -> str:
        """The one method that does something here."""
        return "POST" if self.form in ("single", "batch", "metrics") else "GET"


_TYPES: Final = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias"}
_SETTINGS_PREFIXES: Final = ("/v1/projects/", "/projects/")
_SCRIPT_PREFIX: Final = "/analytics.js/v1/"


def _table() -> dict[str, Route]:
    table = {
        "/v1/batch": Route("batch", "batch"),
        "/v1/import": Route("batch", "batch"),
        "/v1/b": Route("batch", "batch", direct=True),
        "/v1/m": Route("metrics"),
        "/health": Route("health"),
        "/ready": Route("health"),
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
        if path.startswith(_SCRIPT_PREFIX):
            return _find_script(path.removeprefix(_SCRIPT_PREFIX))
        for prefix in _SETTINGS_PREFIXES:
            if path.startswith(prefix):
                key, slash, rest = path.removeprefix(prefix).rstrip("/").partition("/")
                if key and slash and rest == "settings":
                    return Route("settings", key=key)
    return route


def _find_script(rest: str) -> Route | None:
    """`<write key>/<file>` or `<write key>/<version>/<file>` (4.1)."""
    match rest.split("/"):
        case [key, file] if key and file:
            return Route("script", key=key, file=file)
        case [key, version, file] if key and version and file:
            return Route("script", key=key, file=file, version=version)
        case _:
            return None
