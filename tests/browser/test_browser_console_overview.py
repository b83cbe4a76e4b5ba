"""The overview in a real browser: it tells what to do, shows what comes, and keeps still while it does."""

from __future__ import annotations

import re
import shlex
import urllib.request
from base64 import b64encode
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, free_port, running_house, until

NASTY = "<img src=x onerror=alert(1)>"
PATIENCE = 15_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("overview"), *IN_ONE_PROCESS) as house:
        yield house


@pytest.fixture
def page(browser: Browser, house: RunningHouse) -> Generator[Page]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        sign_in(page, house)
        yield page


def received(house: RunningHouse) -> int:
    return house.ask("GET", "/headwater/overview?span=60")["totals"]["received"]


def events_in(page: Page) -> int:
    return int(page.get_by_text(re.compile(r"^Events in[\d,]")).first.inner_text().split("\n")[1].replace(",", ""))


def send(house: RunningHouse, count: int) -> None:
    """Send events, and wait until the books have them."""
    before = received(house)
    batch = [{"type": "track", "userId": "u1", "event": "Tried"} for _ in range(count)]
    assert house.send("/v1/batch", {"batch": batch})[0] == 200
    until(lambda: received(house) == before + count, seconds=15, what="for the ledger")


def run_curl(line: str) -> int:
    """Do what a curl line says. Returns the status."""
    words = shlex.split(line.replace("\\\n", " "))
    assert words[0] == "curl"
    key, header, body = (words[words.index(flag) + 1] for flag in ("-u", "-H", "-d"))
    name, _, value = header.partition(": ")
    credentials = f"Basic {b64encode(key.encode()).decode()}"
    request = urllib.request.Request(words[1], body.encode(), {name: value, "Authorization": credentials})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def test_a_house_without_events_shows_a_line_that_works_and_then_the_event_without_a_reload(
    page: Page, house: RunningHouse
) -> None:
    expect(page.get_by_text("No events yet")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("the snippet of"))).to_have_attribute(
        "href", f"/console/sources/{house.source_id()}"
    )
    assert run_curl(page.locator("pre").first.inner_text()) == 200
    expect(page.get_by_text("No events yet")).to_be_hidden(timeout=PATIENCE)
    expect(page.get_by_role("heading", name="What became of the events balanced")).to_be_visible()
    assert events_in(page) == 1


def test_focus_stays_where_it_is_while_figures_change(page: Page, house: RunningHouse) -> None:
    link = page.get_by_role("table", name="Sources").get_by_role("link")
    link.focus()
    send(house, 3)
    expect(page.get_by_text(re.compile(rf"^Events in{received(house):,}"))).to_be_visible(timeout=PATIENCE)
    expect(link).to_be_focused()


def test_a_page_that_is_hidden_rests_and_catches_up_when_it_is_looked_at(page: Page, house: RunningHouse) -> None:
    see = "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    see += " document.dispatchEvent(new Event('visibilitychange')); }"
    expect(page.get_by_text(re.compile(r"^Events in[\d,]"))).to_be_visible()
    page.wait_for_function("window.did_handshake")
    page.evaluate(see, True)
    before = events_in(page)
    send(house, 2)
    page.evaluate(see, False)
    expect(page.get_by_text(re.compile(rf"^Events in{before + 2:,}"))).to_be_visible(timeout=4_000)


def test_a_span_is_chosen_and_kept_in_the_address(page: Page) -> None:
    page.get_by_role("button", name="24 h").click()
    page.wait_for_url(re.compile(r"\?span=1440$"))
    page.reload()
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name="Events received, delivered and failed over time")).to_be_visible()


def test_a_problem_is_told_on_top_and_in_the_head_of_every_page(page: Page, house: RunningHouse) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    destination_id = house.connect("webhook", {"url": url}, name=NASTY)
    send(house, 5)
    problem = page.get_by_role("alert").get_by_role("link", name=f"Most deliveries to {NASTY}")
    expect(problem).to_be_visible(timeout=PATIENCE)
    expect(problem).to_have_attribute("href", f"/console/destinations/{destination_id}")
    row = page.get_by_role("table", name="Destinations").get_by_role("row").filter(has_text=NASTY)
    expect(row.get_by_text("failing")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    page.goto(f"{house.manage_url}/console/settings")
    expect(page.get_by_role("link", name="1 problem")).to_be_visible(timeout=PATIENCE)


def test_the_overview_fits_on_a_telephone(browser: Browser, house: RunningHouse) -> None:
    with watched_page(browser, viewport={"width": 390, "height": 800}) as (page, _):
        sign_in(page, house)
        expect(page.get_by_text(re.compile(r"^Events in[\d,]"))).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
