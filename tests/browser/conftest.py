"""One browser and one scene for all tests of a module; a page of its own for each test."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from browser_house import Scene, open_scene
from chromium import open_browser
from playwright.sync_api import Browser, expect

expect.set_options(timeout=20_000)
"""A machine that has all else to do too may take longer than the usual five seconds."""

RESOLVER = "--host-resolver-rules=MAP *.shop.test 127.0.0.1"


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with open_browser(RESOLVER) as opened:
        yield opened


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Generator[Scene]:
    with open_scene(tmp_path_factory.mktemp("scene")) as opened:
        yield opened
