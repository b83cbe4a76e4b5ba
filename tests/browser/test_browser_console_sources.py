"""The console's pages about sources, driven as a person would, against a whole house."""

from __future__ import annotations

import re
from collections.abc import Generator
from urllib.parse import quote

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/sources")
        yield page


@pytest.fixture
def page(house: RunningHouse, signed_in: Page) -> Page:
    signed_in.goto(f"{house.manage_url}/console/sources")
    return signed_in


def make(house: RunningHouse, slug: str, name: str, kind: str = "python") -> tuple[str, str]:
    """A source: its id and its write key."""
    made = house.ask("POST", "/sources", {"slug": slug, "name": name, "metadataId": kind})["source"]
    return made["id"], made["writeKeys"][0]


def go(page: Page, house: RunningHouse, path: str) -> None:
    page.goto(f"{house.manage_url}/console{path}")


def test_somebody_adds_a_source_and_lands_where_its_lines_are(page: Page, house: RunningHouse) -> None:
    page.get_by_role("button", name="Add source").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add source").click()
    expect(dialog.get_by_text("A source needs a name.")).to_be_visible()
    dialog.get_by_label("Name", exact=True).fill(f"Shop {NASTY}")
    dialog.get_by_label("Short name").fill("first_source")
    dialog.get_by_role("button", name="Add source").click()
    expect(dialog.get_by_text('The slug "first_source" is used by another source.')).to_be_visible()
    dialog.get_by_label("Short name").fill("shop")
    dialog.get_by_role("button", name="Add source").click()
    expect(page.get_by_role("heading", name=f"Shop {NASTY}")).to_be_visible()
    key = house.ask("GET", "/sources")["sources"][-1]["writeKeys"][0]
    expect(page.get_by_text(f"('analytics', '{house.collect_url}', '{key}', {{}})")).to_be_visible()
    page.get_by_role("tab", name="curl").click()
    expect(page.get_by_text(f"curl {house.collect_url}/v1/track -u {key}:")).to_be_visible()
    page.get_by_label("Where this is").get_by_role("link", name="Sources").click()
    expect(page.get_by_role("link", name=f"Shop {NASTY}")).to_be_visible()


def test_the_list_shows_how_much_came_and_when_last(page: Page, house: RunningHouse) -> None:
    _, key = make(house, "busy", "Busy one")
    events = [{"type": "track", "event": f"E{at}", "userId": "u"} for at in range(7)]
    house.send("/v1/batch", {"batch": events}, write_key=key)
    until(lambda: house.ask("GET", "/headwater/overview?span=60")["totals"]["received"] >= 7, what="for the books")
    go(page, house, "/sources")
    row = page.get_by_role("row", name="Busy one")
    expect(row.get_by_role("cell", name="7", exact=True).first).to_be_visible()
    expect(row.get_by_text(re.compile("ago|just now"))).to_be_visible()
    expect(row.get_by_role("img", name="Events by the hour")).to_be_visible()


def test_the_schema_shows_what_was_in_an_event_and_finds_it_by_its_name(page: Page, house: RunningHouse) -> None:
    source_id, key = make(house, "forms", "Forms")
    sent = [
        {"type": "track", "event": NASTY, "userId": "u", "properties": {NASTY: NASTY, "price": 2.5, "tags": ["a"]}},
        {"type": "track", "event": "Other", "userId": "u"},
    ]
    house.send("/v1/batch", {"batch": sent}, write_key=key)
    go(page, house, f"/sources/{source_id}/schema")
    expect(page.get_by_role("link", name="Other")).to_be_visible(timeout=20_000)
    page.keyboard.press("/")
    page.keyboard.type("img")
    expect(page.get_by_role("link", name="Other")).to_have_count(0)
    until(
        lambda: house.ask("GET", f"/headwater/sources/{source_id}/schema/event?type=track&name={quote(NASTY)}")[
            "sample"
        ],
        what="for a sample",
    )
    page.get_by_role("link", name=NASTY).click()
    row = page.get_by_role("row", name="price")
    expect(row.get_by_text("number")).to_be_visible()
    expect(row.get_by_text("2.5")).to_be_visible()
    expect(row.get_by_text("100 %")).to_be_visible()
    expect(page.get_by_text(f'analytics.track("{NASTY}"')).to_be_visible()
    assert page.locator("main img").count() == 0


def test_a_source_is_renamed_labelled_given_keys_disabled_and_deleted(page: Page, house: RunningHouse) -> None:
    source_id, key = make(house, "short-lived", "Short lived")
    go(page, house, f"/sources/{source_id}/settings")
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    page.get_by_label("Key", exact=True).fill("team")
    page.get_by_label("Value", exact=True).fill("web")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("team: web")).to_be_visible()
    page.get_by_role("button", name="Add a write key").click()
    expect(page.get_by_role("button", name="Remove the write key")).to_have_count(2)
    page.get_by_role("button", name=f"Remove the write key {key}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Remove the write key")).to_have_count(1)
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    shown = house.ask("GET", f"/sources/{source_id}")["source"]
    assert (shown["name"], shown["enabled"], len(shown["writeKeys"])) == ("Renamed", False, 1)
    assert key not in shown["writeKeys"]
    assert [(one["key"], one["value"]) for one in shown["labels"]] == [("team", "web")]
    page.get_by_role("button", name="Delete this source").click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Delete")
    expect(sure).to_be_disabled()
    page.get_by_label("Name, to confirm").fill("Renamed")
    sure.click()
    page.wait_for_url("**/console/sources")
    expect(page.get_by_role("link", name="First source")).to_be_visible()
    expect(page.get_by_role("link", name="Renamed")).to_have_count(0)


def test_who_may_only_read_sees_no_keys_and_changes_nothing(house: RunningHouse, browser: Browser) -> None:
    scopes = ["sources:read", "catalog:read"]
    token = house.ask("POST", "/headwater/tokens", {"name": "reader", "scopes": scopes})["text"]
    source_id = house.source_id()
    with watched_page(browser) as (page, _):
        page.goto(f"{house.manage_url}/console/sources")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").first.click()
        expect(page.get_by_role("link", name="First source")).to_be_visible()
        expect(page.get_by_role("button", name="Add source")).to_have_count(0)
        go(page, house, f"/sources/{source_id}")
        expect(page.get_by_text("Your token may not see write keys")).to_be_visible()
        expect(page.get_by_role("link", name="Settings")).to_have_count(0)
        assert house.write_key not in page.content()
        go(page, house, f"/sources/{source_id}/settings")
        page.get_by_role("button", name="Delete this source").click()
        page.get_by_label("Name, to confirm").fill("First source")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("sources:write")).to_be_visible()
    assert house.source_id() == source_id
