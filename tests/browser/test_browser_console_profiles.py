"""People in the console: found, looked into, explained and parted; identity rules: tried and saved; spaces."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

NASTY = "<img src=x onerror=alert(1)>"
SPACE = "/headwater/spaces/default"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        fill(running)
        yield running


@pytest.fixture(scope="module")
def signed_in(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/profiles")
        yield page


@pytest.fixture
def page(house: RunningHouse, signed_in: Page) -> Page:
    signed_in.goto(f"{house.manage_url}/console/profiles")
    return signed_in


def fill(house: RunningHouse) -> None:
    """Ada, seen on a laptop before she says who she is, and a stranger whose every word is hostile."""
    events = [
        {"type": "track", "anonymousId": "laptop", "event": "Product Viewed", "messageId": "first"},
        {"type": "identify", "userId": "ada", "traits": {"name": "Ada Lovelace", "plan": "free", "email": "a@b.c"}},
        {"type": "identify", "userId": "ada", "traits": {"plan": "Professional"}},
        {"type": "track", "userId": "ada", "anonymousId": "laptop", "event": "Order Completed", "messageId": "joined"},
        {"type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme"}},
        {"type": "identify", "userId": NASTY, "traits": {"name": NASTY, NASTY: NASTY, "long": "x" * 20_000}},
        {"type": "track", "userId": NASTY, "event": NASTY, "properties": {NASTY: NASTY}},
        {"type": "track", "userId": "bob", "anonymousId": "laptop", "event": "Signed In"},
    ]
    for event in events:
        assert house.send(f"/v1/{event['type']}", event)[0] == 200
    until(lambda: house.ask("GET", f"{SPACE}/profiles?search=user_id:ada")["profiles"], what="for Ada")
    until(lambda: house.ask("GET", f"{SPACE}/profiles/user_id:ada")["events"] == 5, what="for all that Ada did")
    until(lambda: house.ask("GET", f"{SPACE}/violations")["violations"], what="for what Bob did on Ada's laptop")


def test_somebody_is_found_by_a_trait_explained_and_parted(page: Page, house: RunningHouse) -> None:
    page.keyboard.press("/")
    page.keyboard.type("professional")
    expect(page.get_by_role("table", name="Profiles").get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    plan = page.get_by_role("table", name="Traits").get_by_role("row").filter(has_text="plan")
    plan.get_by_text("1 earlier value").click()
    expect(plan.get_by_text("free", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Acme")).to_be_visible()
    expect(page.get_by_role("link", name="Order Completed").first).to_be_visible()
    page.locator(".graph-side svg text", has_text="anonymous_id:laptop").click()
    expect(page.locator(".graph-words")).to_contain_text("Nothing in the event was known yet")
    page.get_by_role("button", name="Delete email:a@b.c").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("table", name="Identifiers").get_by_text("deleted")).to_be_visible()

    page.get_by_label("To", exact=True).fill("user_id:ada")
    page.get_by_role("option", name="user_id:ada").click()
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("are one, over 1 merge")).to_be_visible()
    steps = page.locator(".trail-steps .step")
    expect(steps).to_have_count(3)
    expect(steps.nth(1).get_by_role("link", name="Order Completed")).to_have_attribute("href", "/console/events/joined")
    steps.nth(1).get_by_role("button", name="Un-merge").click()
    sides = page.get_by_role("dialog").locator(".side")
    expect(sides).to_have_count(2)
    expect(sides.nth(0)).to_contain_text("anonymous_id laptop")
    expect(sides.nth(1)).to_contain_text("user_id ada")
    expect(sides.nth(1)).to_contain_text("Traits (3)")
    page.get_by_role("dialog").get_by_role("button", name="Un-merge").click()
    expect(page.get_by_text("Un-merged. Apart from this profile now:")).to_be_visible()
    expect(page.get_by_text("undone, kept apart")).to_be_visible()
    assert len(house.ask("GET", f"{SPACE}/profiles/user_id:ada")["profiles"]) == 1
    page.get_by_role("button", name="to merge again").click()
    page.get_by_role("dialog").get_by_role("button", name="Allow").click()
    expect(page.get_by_text("undone", exact=True)).to_be_visible()


def test_what_strangers_send_stays_text(page: Page, house: RunningHouse) -> None:
    expect(page.get_by_role("link", name=NASTY)).to_be_visible()
    page.get_by_role("link", name=NASTY).click()
    expect(page.get_by_role("heading", name=NASTY)).to_be_visible()
    expect(page.get_by_role("table", name="Traits").get_by_text("20.0 KB")).to_be_attached()
    page.locator(".graph-side svg text").last.hover()
    page.locator(".graph-side svg text").last.click()
    expect(page.locator(".graph-words")).to_contain_text(NASTY)
    expect(page.locator(".timeline").get_by_role("link", name=NASTY)).to_be_visible()
    assert page.locator(".nicegui-content img").count() == 0


def test_rules_are_tried_on_real_events_and_saved(page: Page, house: RunningHouse) -> None:
    page.get_by_role("link", name="Identity rules").click()
    expect(page.get_by_role("table", name="Violations")).to_contain_text("Identifier value limit exceeded")
    page.get_by_label("user_id: at most").fill("3")
    page.get_by_label("Another type, such as loyalty_card").fill("loyalty_card")
    page.get_by_role("button", name="Add type").click()
    page.get_by_role("button", name="loyalty_card: stronger").click()
    page.get_by_role("listitem").filter(has_text="email").get_by_role("button", name="Block values").click()
    page.get_by_label("Values, one a line").fill("nobody@example.com\nnull")
    page.get_by_role("button", name="Take over").click()
    page.get_by_role("button", name="Try these rules").click()
    expect(page.get_by_text("1 profile would be made of several")).to_be_visible()
    expect(page.locator(".trial-examples")).to_contain_text("user_id bob")
    names = [one["name"] for one in house.ask("GET", f"{SPACE}/identity-rules")["identifiers"]]
    assert "loyalty_card" not in names
    page.get_by_role("button", name="Save rules").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The rules count")).to_be_visible()
    rules = {one["name"]: one for one in house.ask("GET", f"{SPACE}/identity-rules")["identifiers"]}
    assert list(rules)[-2:] == ["loyalty_card", "ios.push_token"]
    assert rules["user_id"]["limit"] == 3
    assert [one["value"] for one in rules["email"]["blocked"]] == ["nobody@example.com", "null"]


def test_a_space_is_made_renamed_and_given_a_token_that_reads(page: Page, house: RunningHouse) -> None:
    page.goto(f"{house.manage_url}/console/settings/spaces")
    page.get_by_role("button", name="Make a space").click()
    page.get_by_label("Name", exact=True).fill("Test <b>people</b>")
    page.get_by_role("button", name="Make space").click()
    expect(page.get_by_role("heading", name="Test <b>people</b>")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Trial")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Trial")).to_be_visible()
    page.goto(f"{house.manage_url}/console/settings/spaces/default")
    page.get_by_role("button", name="Make a token").click()
    page.get_by_label("Name: which system uses it").fill("CRM")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    text = page.get_by_role("dialog").locator("pre").inner_text()
    url = f"{house.manage_url}/v1/spaces/default/collections/users/profiles/user_id:ada/traits"
    key = base64.b64encode(f"{text}:".encode()).decode()
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Basic {key}"})) as answer:
        assert answer.status == 200
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Take back CRM").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(page.get_by_text("No token yet.")).to_be_visible()


def test_the_pages_about_people_fit_on_a_telephone(page: Page, house: RunningHouse) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    for path in ("profiles", "profiles/default/user_id:ada", "identity", "settings/spaces"):
        page.goto(f"{house.manage_url}/console/{path}")
        page.wait_for_selector(".skeleton", state="detached")
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_a_file_of_people_is_uploaded_or_what_is_wrong_with_it_is_told(page: Page, house: RunningHouse) -> None:
    page.get_by_role("button", name="Upload CSV").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("No file was uploaded")).to_be_visible()
    field = dialog.get_by_label("CSV file")
    bad = b"user_id,plan,plan\n" + NASTY.encode() + b",1,2\n"
    field.set_input_files({"name": f"{NASTY}.csv", "mimeType": "text/csv", "buffer": bad})
    expect(dialog.get_by_role("alert")).to_contain_text('Row 1, "plan": The column is there twice.')
    other = b"user_id,n\n" + b"u1,1\n" * 4_000_000
    field.set_input_files({"name": "people.xlsx", "mimeType": "text/csv", "buffer": other})
    expect(dialog.get_by_role("alert")).to_contain_text('Nothing was taken."people.xlsx" is no .csv file.')
    good = b"user_id,plan\ncsv-1,gold\n,lost\n" + b"".join(b"csv-%d,free\n" % at for at in range(2, 10_001))
    field.set_input_files({"name": "people.csv", "mimeType": "text/csv", "buffer": good})
    expect(dialog.get_by_text("Taken: 10,000 of 10,001 rows. Left out: 1 row")).to_be_visible()
    table = dialog.get_by_role("table")
    expect(table.get_by_role("row", name="people.csv")).to_contain_text("None of its identifiers has a value")
    expect(table.get_by_role("row", name=".csv refused")).to_be_visible()
    until(lambda: house.ask("GET", f"{SPACE}/profiles?exact=true&search=user_id:csv-1")["profiles"])
