"""Every page of the console, for tests and pictures that must not miss one."""

from __future__ import annotations

import re
from urllib.parse import quote


def page_paths(**fields: str) -> list[str]:
    """The paths of all pages, with the fields of their addresses filled in, such as `source_id`, in order.

    Raises KeyError for a page whose field is not given.
    """
    from nicegui.client import Client

    from headwater.console import web

    assert web.ASSETS
    templates = sorted(set(Client.page_routes.values()))
    return [
        "/console" + re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: quote(fields[found[1]], safe=""), template)
        for template in templates
    ]
