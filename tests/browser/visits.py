"""Pages that tests look at, one by one: what was called in them, kept by them, and received from them."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from browser_house import Scene
from chromium import Watch, watched_page
from playwright.sync_api import Browser, Page

READY = "window.analytics && window.analytics.initialized === true"


class Visit:
    """A page that a test looks at, and what came of it."""

    def __init__(self, scene: Scene, page: Page, watch: Watch, mark: str) -> None:
        self.scene, self.page, self.watch, self.mark = scene, page, watch, mark

    def do(self, code: str, given: Any = None) -> Any:
        """Run JavaScript in the page; promises are waited for."""
        return self.page.evaluate(code, given)

    def events(self, count: int) -> list[dict[str, Any]]:
        """The first events of this page, in the order of their time."""
        return sorted(self.scene.await_events(self.mark, count), key=lambda event: event["timestamp"])

    def called(self, code: str) -> dict[str, Any]:
        """The event that a call makes."""
        before = len(self.scene.of(self.mark))
        self.do(code)
        return self.scene.await_events(self.mark, before + 1)[-1]

    def stored(self) -> dict[str, str]:
        return json.loads(self.do("JSON.stringify(localStorage)"))

    def cookies(self) -> dict[str, str]:
        return {one["name"]: one["value"] for one in self.page.context.cookies()}


@contextmanager
def visit(
    browser: Browser, scene: Scene, mark: str, *, query: str = "", before: str = "", hosts: Any = (), **page: str
) -> Generator[Visit]:
    """Open a page of its own and wait for the library; `before` runs in the page before everything else."""
    address = scene.put_page(mark, **page)
    with watched_page(browser, hosts=hosts) as (opened, watch):
        if before:
            opened.add_init_script(before)
        opened.goto(address + query)
        opened.wait_for_function(READY)
        yield Visit(scene, opened, watch, mark)
