"""Who sees what in the console, and what happens when their session ends."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import add_user, sign_in, sign_in_with_password
from playwright.sync_api import Browser, Page, expect

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house

PATIENCE = 30_000
LOOK_AWAY_AND_BACK = """() => setInterval(() => {
  for (const hidden of [true, false]) {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
  }
}, 20)"""
READER, PASSWORD = "reader@example.com", "reads but does not write"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("access"), *IN_ONE_PROCESS) as house:
        house.connect("webhook", {"url": "http://127.0.0.1:9/"}, name="Hook")
        add_user(house, READER, PASSWORD, "source-read-only")
        yield house


def end_session(page: Page, house: RunningHouse) -> None:
    """End the session of a page, as another program would that has its text."""
    text = next(one["value"] for one in page.context.cookies() if one.get("name") == "headwater_session")
    headers = {"Authorization": f"Bearer {text}"}
    request = urllib.request.Request(f"{house.manage_url}/headwater/session", headers=headers, method="DELETE")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_who_only_reads_sees_pages_without_buttons_that_change_anything(browser: Browser, house: RunningHouse) -> None:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        sign_in_with_password(page, house, READER, PASSWORD)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        menu = page.get_by_label("Menu").last
        menu.get_by_role("link", name="Sources").click()
        expect(page.get_by_role("link", name="First source")).to_be_visible()
        expect(page.get_by_role("button", name="Add source")).to_have_count(0)
        menu.get_by_role("link", name="Destinations").click()
        expect(page.get_by_role("link", name="Hook")).to_be_visible()
        expect(page.get_by_text("Connect a destination")).to_have_count(0)
        menu.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("navigation", name="Parts").get_by_role("link")).to_have_text(
            ["Workspace", "Health", "Storage"]
        )
        page.goto(f"{house.manage_url}/console/settings/people")
        expect(page.get_by_role("alert")).to_contain_text("lacks the scope users:read")


def test_who_may_not_see_events_sees_none(browser: Browser, house: RunningHouse) -> None:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        sign_in_with_password(page, house, READER, PASSWORD)
        expect(page.get_by_role("link", name="Sources").first).to_be_visible()
        for name in ("Live events", "Query", "Warehouse"):
            expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
        assert house.send("/v1/track", {"userId": "a-secret-person", "event": "Hidden"})[0] == 200
        for path in ("/events", "/warehouse/query", f"/sources/{house.source_id()}/debugger"):
            page.goto(f"{house.manage_url}/console{path}")
            expect(page.get_by_role("alert")).to_contain_text("lacks the scope events:read")
            assert "a-secret-person" not in page.content()


def test_who_may_see_no_figures_is_told_so_in_a_friendly_way(browser: Browser, house: RunningHouse) -> None:
    add_user(house, "new@example.com", PASSWORD, "workspace-member")
    with watched_page(browser) as (page, _):
        sign_in_with_password(page, house, "new@example.com", PASSWORD)
        expect(page.get_by_text("Welcome, New")).to_be_visible()
        expect(page.get_by_role("link", name="Overview")).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_signing_out_ends_the_session(browser: Browser, house: RunningHouse) -> None:
    with watched_page(browser) as (page, _):
        sign_in(page, house)
        kept = page.context.cookies()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(re.compile(r"/console/sign-in$"))
        page.context.add_cookies(
            [{"name": one["name"], "value": one["value"], "url": f"{house.manage_url}/console"} for one in kept]  # type: ignore[typeddict-item]
        )
        page.goto(f"{house.manage_url}/console/")
        expect(page.get_by_label("Token")).to_be_visible()


def test_a_link_into_the_console_asks_to_sign_in_and_then_goes_there(browser: Browser, house: RunningHouse) -> None:
    with watched_page(browser) as (page, _):
        sign_in(page, house, next_path="/console/sources")
        expect(page.get_by_role("heading", name="Sources")).to_be_visible()


@pytest.mark.parametrize("path", ["/console/", "/console/settings"])
def test_a_session_that_ends_under_an_open_page_leads_to_sign_in_and_back(
    browser: Browser, house: RunningHouse, path: str
) -> None:
    with watched_page(browser) as (page, _):
        sign_in(page, house, next_path=path)
        page.wait_for_function("window.did_handshake")
        end_session(page, house)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
        page.evaluate(LOOK_AWAY_AND_BACK)
        page.wait_for_url(re.compile("/console/sign-in"), timeout=PATIENCE)
        expect(page.get_by_label("Token")).to_be_visible()
        assert len(asked) == 1
        page.get_by_label("Token").fill(house.token)
        page.get_by_role("button", name="Sign in").first.click()
        page.wait_for_url(house.manage_url + path)


def test_a_page_that_was_cut_off_while_its_session_ended_asks_to_sign_in_once(
    browser: Browser, house: RunningHouse
) -> None:
    with watched_page(browser) as (page, watch):
        sign_in(page, house, next_path="/console/settings")
        page.wait_for_function("window.did_handshake")
        end_session(page, house)
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        page.evaluate("window.socket.io.engine.close()")
        page.wait_for_url(re.compile("/console/sign-in"), timeout=PATIENCE)
        expect(page.get_by_label("Token")).to_be_visible()
        assert len(loads) == 1
        watch.expect("WebSocket connection")
