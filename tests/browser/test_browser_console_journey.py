"""A stranger's first half hour, in a real browser: from signing in to a redriven event and SQL over the archive."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect
from receiver import Receiver, open_receiver

from headwater.contracts.house import RunningHouse, running_house, until


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Generator[tuple[Path, str]]:
    """A folder, and the address under which its files are a web site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_stranger_gets_from_signing_in_to_a_redriven_event_and_sql(
    browser: Browser, house: RunningHouse, site: tuple[Path, str]
) -> None:
    with open_receiver() as works, open_receiver() as fails, watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        fails.status = 400
        sign_in(page, house)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        source_id = add_source(page, "Web shop")
        (site[0] / "index.html").write_text(page_with(snippet(page)))
        connect(page, "Works", "Web shop", works)
        connect(page, "Fails", "Web shop", fails)
        visit_site(browser, site[1])
        until(lambda: works.bodies and fails.bodies, what="for the webhooks")
        message_id = works.bodies[0]["messageId"]
        see_it_live(page, house, message_id)
        see_the_failure_and_send_it_again(page, house, fails)
        ask_sql(page, house, source_id)


def add_source(page: Page, name: str) -> str:
    page.get_by_role("link", name="Sources").first.click()
    page.get_by_role("button", name="Add source").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Add source").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page.url.rstrip("/").rpartition("/")[2]


def snippet(page: Page) -> str:
    """The lines for a web page, as the source's page shows them."""
    return page.locator("pre", has_text="analytics.min.js").first.inner_text()


def page_with(lines: str) -> str:
    lines = lines if "<script" in lines else f"<script>{lines}</script>"
    call = 'analytics.identify("ada", {plan: "pro"}); analytics.track("Order Completed", {total: 27.5});'
    head = f"<title>A shop</title><link rel=icon href=data:,>{lines}<script>{call}</script>"
    return f"<!doctype html><html><head>{head}</head><body></body></html>"


def connect(page: Page, name: str, source: str, receiver: Receiver) -> None:
    page.get_by_role("link", name="Destinations").first.click()
    page.get_by_role("link", name="Connect a destination").first.click()
    page.get_by_role("link", name=re.compile("Webhook Sends events as JSON")).click()
    page.get_by_label("Events of *").click()
    page.get_by_role("option", name=source).click()
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Name *").fill(name)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def visit_site(browser: Browser, address: str) -> None:
    with watched_page(browser) as (visitor, _):
        with visitor.expect_response(re.compile(r"/v1/t$")) as sent:
            visitor.goto(address)
        assert sent.value.status == 200


def see_it_live(page: Page, house: RunningHouse, message_id: str) -> None:
    page.get_by_role("link", name="Live events").click()
    expect(page.get_by_text("Order Completed").first).to_be_visible()
    page.goto(f"{house.manage_url}/console/events/{message_id}")
    main = page.get_by_role("main")
    expect(main).to_contain_text("Works")
    expect(main).to_contain_text("Fails")
    expect(main).to_contain_text("The destination refused the request as malformed (400).")


def see_the_failure_and_send_it_again(page: Page, house: RunningHouse, fails: Receiver) -> None:
    page.get_by_role("link", name="Destinations").first.click()
    page.get_by_role("link", name="Fails").first.click()
    page.get_by_role("link", name="Failures").click()
    expect(page.get_by_role("link", name="track · Order Completed")).to_be_visible()
    fails.status = 200
    before = len(fails.bodies)
    page.get_by_role("button", name="Send all again").click()
    page.get_by_role("button", name="Send again", exact=True).click()
    expect(page.get_by_text("Nothing here")).to_be_visible()
    until(lambda: "Order Completed" in json.dumps(fails.bodies[before:]), what="for the redriven event")
    page.get_by_role("link", name="Delivery", exact=True).click()
    expect(page.get_by_text(re.compile(r"\d delivered: half of them within"))).to_be_visible(timeout=30_000)


def ask_sql(page: Page, house: RunningHouse, source_id: str) -> None:
    asked = "select event from events where type = 'track'"
    until(lambda: ["Order Completed"] in house.query(asked), seconds=60, what="for the archive")
    page.get_by_role("link", name="Query").click()
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(f"select source_id, count(*) as orders from events where source_id = '{source_id}' group by 1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("cell", name=source_id)).to_be_visible()
