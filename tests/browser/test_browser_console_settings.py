"""The settings in a real browser: tokens, people, health, storage and the audit trail."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import add_user, sign_in, sign_in_with_password
from playwright.sync_api import Browser, Page, expect

from headwater import __version__
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

PATIENCE = 15_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("settings"), *IN_ONE_PROCESS) as house:
        yield house


@pytest.fixture(scope="module")
def signed_in(browser: Browser, house: RunningHouse) -> Generator[Page]:
    with watched_page(browser) as (page, _):
        sign_in(page, house, next_path="/console/settings")
        yield page


@pytest.fixture
def page(signed_in: Page, house: RunningHouse) -> Page:
    signed_in.set_viewport_size({"width": 1280, "height": 900})
    signed_in.goto(f"{house.manage_url}/console/settings")
    return signed_in


def status(house: RunningHouse, path: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(house.manage_url + path, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_workspace_tells_its_version_and_where_everything_is(page: Page, house: RunningHouse) -> None:
    expect(page.get_by_text(f"Headwater {__version__}")).to_be_visible()
    expect(page.get_by_text(house.collect_url, exact=True)).to_be_visible()
    expect(page.get_by_text("Admin with a token")).to_be_visible()
    for name in ("API explorer", "OpenAPI document", "Metrics"):
        path = page.get_by_role("link", name=name).get_attribute("href")
        assert path is not None
        assert status(house, path) == 200


def test_a_token_is_made_with_chosen_scopes_shown_once_and_taken_back(page: Page, house: RunningHouse) -> None:
    page.get_by_role("link", name="Tokens").click()
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("button", name="Make token").click()
    for words in ("A name, please.", "Choose at least one below."):
        expect(page.get_by_text(words)).to_be_visible()
    page.get_by_label("Name: what it is for").fill("<b>Import</b>")
    page.get_by_role("group", name="Sources").get_by_role("button", name="read").click()
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    text = page.get_by_role("dialog").locator("pre").inner_text()
    assert (status(house, "/sources", text), status(house, "/destinations", text)) == (200, 401)
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row").filter(has_text="<b>Import</b>")
    expect(row).to_contain_text("sources:read")
    expect(page.get_by_text(text)).to_have_count(0)
    row.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(row).to_have_count(0)
    assert status(house, "/sources", text) == 401


def test_a_person_is_added_given_roles_and_a_password_and_removed(page: Page, house: RunningHouse) -> None:
    page.get_by_role("link", name="People").click()
    expect(page.get_by_text("Nobody signs in with a password yet")).to_be_visible()
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("E-mail").fill("grace@example.com")
    page.get_by_label("Name", exact=True).fill("Grace <Hopper>")
    page.get_by_label(re.compile("First password")).fill("short")
    page.get_by_role("button", name="Add person").click()
    expect(page.get_by_text("At least 8 characters, please.")).to_be_visible()
    page.get_by_label(re.compile("First password")).fill("a longer one")
    page.get_by_role("checkbox", name="Source Admin").click()
    page.get_by_role("button", name="Add person").click()
    row = page.get_by_role("row").filter(has_text="Grace <Hopper>")
    expect(row).to_contain_text("Source Admin")
    row.get_by_role("button", name="Change the roles").click()
    page.get_by_role("checkbox", name="Source Admin").click()
    page.get_by_role("checkbox", name="Source Read-only").click()
    page.get_by_role("button", name="Change roles", exact=True).click()
    expect(row).to_contain_text("Source Read-only")
    expect(row).not_to_contain_text("Source Admin")
    row.get_by_role("button", name="Set the password").click()
    page.get_by_label(re.compile("New password")).fill("another long one")
    page.get_by_role("button", name="Set password", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    credentials = {"email": "grace@example.com", "password": "another long one"}
    assert house.ask("POST", "/headwater/sessions", credentials)["session"]["name"] == "Grace <Hopper>"
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_person_changes_their_own_password_and_signs_in_again(browser: Browser, house: RunningHouse) -> None:
    add_user(house, "joan@example.com", "the first one", "workspace-member")
    with watched_page(browser) as (page, _):
        sign_in_with_password(page, house, "joan@example.com", "the first one")
        page.goto(f"{house.manage_url}/console/settings")
        page.get_by_label("Password now").fill("a wrong one")
        page.get_by_label(re.compile("New password")).fill("the second one")
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text('"current" is not the password')).to_be_visible()
        page.get_by_label("Password now").fill("the first one")
        page.get_by_role("button", name="Change password").click()
        page.wait_for_url(re.compile("/console/sign-in"))
        sign_in_with_password(page, house, "joan@example.com", "the second one")


def test_health_and_storage_tell_what_is_behind_and_what_takes_room(page: Page, house: RunningHouse) -> None:
    assert house.send("/v1/track", {"userId": "u1", "event": "Kept"})[0] == 200
    page.get_by_role("link", name="Health").click()
    readers = page.get_by_role("table", name="Readers")
    for reader in ("Pipeline", "Deliver", "Archive", "Ledger", "DuckDB"):
        expect(readers.get_by_role("row").filter(has_text=reader)).to_be_visible()
    until(lambda: house.ask("GET", "/headwater/storage")["archive"]["events"] == 1, what="for the archive")
    page.get_by_role("link", name="Storage").click()
    expect(page.get_by_text(re.compile(r"free on the disk"))).to_be_visible()
    expect(page.get_by_text("168 h (7 days)")).to_be_visible()
    expect(page.get_by_role("table", name="Days of the archive").get_by_role("row")).to_have_count(2)


def test_the_audit_trail_is_filtered_by_kind_and_by_id(page: Page, house: RunningHouse) -> None:
    destination_id = house.connect("webhook", {"url": "http://127.0.0.1:9/"}, name="<i>Audited</i>")
    page.get_by_role("link", name="Audit trail").click()
    trail = page.get_by_role("table", name="Audit trail")
    expect(trail.get_by_role("row").filter(has_text="<i>Audited</i>")).to_contain_text("Admin (token)")
    page.get_by_label("About").click()
    page.get_by_role("option", name="Destinations").click()
    expect(trail.get_by_role("row").filter(has_text="Signed In")).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator("body").click(position={"x": 640, "y": 880})
    page.keyboard.press("/")
    page.keyboard.type("nobody")
    expect(page.get_by_text("Nothing was changed")).to_be_visible()
    page.get_by_label("Id of what was changed").fill(destination_id)
    expect(trail.get_by_role("row")).to_have_count(2)


@pytest.mark.parametrize("part", ["", "/people", "/tokens", "/health", "/storage", "/audit"])
def test_the_settings_fit_on_a_telephone(signed_in: Page, house: RunningHouse, part: str) -> None:
    signed_in.set_viewport_size({"width": 390, "height": 800})
    signed_in.goto(f"{house.manage_url}/console/settings{part}")
    expect(signed_in.get_by_role("navigation", name="Parts")).to_be_visible()
    assert signed_in.evaluate("document.documentElement.scrollWidth") <= 390
