"""A real browser for tests: the machine's Chromium, driven by Playwright; its pages keep what went wrong in them."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
)
LOCAL = ("127.0.0.1", "localhost", "::1", "")


def find_chromium() -> str:
    """The path of the browser's program. Skips the test when there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no browser is on the PATH; install one of {', '.join(NAMES)}")


@contextmanager
def open_browser(*arguments: str) -> Generator[Browser]:
    """A headless browser until the block ends; `arguments` are further ones of its command line."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, *arguments], headless=True)
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What went wrong in the pages of a browser context: errors of console and scripts, and requests to strangers."""

    def __init__(self, context: BrowserContext, hosts: Sequence[str] = ()) -> None:
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self._hosts = {*LOCAL, *hosts}
        context.on("page", self._follow)
        context.on("request", self._note)

    def _follow(self, page: Page) -> None:
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and (address.hostname or "") not in self._hosts:
            self.strangers.append(request.url)

    def expect(self, *errors: str) -> None:
        """Take out errors that a test provokes, each by a part of its text; each must be there."""
        for part in errors:
            found = [error for error in self.errors if part in error]
            assert found, f"no error says {part!r}; there are {self.errors}"
            self.errors = [error for error in self.errors if part not in error]

    def check(self) -> None:
        """Raises AssertionError when anything went wrong that was not expected."""
        assert self.strangers == [], "a page asked somebody outside the house"
        assert self.errors == []


@contextmanager
def watched_page(browser: Browser, *, hosts: Sequence[str] = (), **options: object) -> Generator[tuple[Page, Watch]]:
    """A page in a context of its own (cookies and storage are empty), checked when the block ends well.

    `hosts` may be asked beside the loopback interface; `options` are those of Playwright's `new_context`.
    """
    context = browser.new_context(**options)  # pyright: ignore[reportArgumentType] - handed through
    try:
        watch = Watch(context, hosts)
        yield context.new_page(), watch
        watch.check()
    finally:
        context.close()
