"""What a mapping's editor asks of a destination of the catalogue, in a browser and with the catalogue's own worker."""

from __future__ import annotations

import json
import re
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Locator, Page, expect
from receiver import Receiver, open_receiver

from headwater import catalogue
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

OPTIMIZELY = "actions-optimizely-feature-experimentation-cloud"
TWILIO = {"username": "AC1", "password": "secret"}
BRAZE = {"app_id": "a", "api_key": "k", "endpoint": "https://rest.iad-01.braze.com"}
SFTP = {"auth_type": "password", "sftp_host": "127.0.0.1", "sftp_username": "u", "sftp_password": "p"}
EVENTS = {"events": [{"id": "1", "key": "purchase"}, {"id": "2", "key": "signed <b>up"}]}


@pytest.fixture(scope="module")
def receiver() -> Generator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        yield running


@pytest.fixture
def page(house: RunningHouse, browser: Browser) -> Generator[Page]:
    """A page for each test: what a test left under way leads nobody away in the next."""
    with watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house)
        yield page


def save_mapping(page: Page, house: RunningHouse, made: str) -> None:
    """Save, and wait until that has led to the list of mappings: whoever goes elsewhere before is called back."""
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{house.manage_url}/console/destinations/{made}/mappings")


def test_choices_that_the_destination_knows_are_offered_and_another_value_can_be_typed(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    made = house.connect(OPTIMIZELY, {"accountId": "1", "dataFileUrl": receiver.url})
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings/new?action=trackEvent")
    line = field(page, "eventKey")
    receiver.answer = b"no JSON"
    line.get_by_role("button", name="Load choices").click()
    expect(line.get_by_role("alert").last).not_to_be_empty()
    receiver.answer = json.dumps(EVENTS).encode()
    line.get_by_role("button", name="Load choices").click()
    line.get_by_label("Choices of Event Key").click()
    page.get_by_role("option", name="signed <b>up", exact=True).click()
    value = line.get_by_label("Event Key", exact=True)
    expect(value).to_have_value("signed <b>up")
    save_mapping(page, house, made)
    until(lambda: mapping(house, made).get("eventKey") == "signed <b>up", what="for the mapping")
    saved = house.ask("GET", f"/destinations/{made}/subscriptions")["subscriptions"][-1]["id"]
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings/{saved}")
    expect(value).to_have_value("signed <b>up")
    line.get_by_role("button", name="Load choices").click()
    expect(line.get_by_label("Choices of Event Key")).to_have_value("signed <b>up")
    value.fill("of my own")
    save_mapping(page, house, made)
    until(lambda: mapping(house, made).get("eventKey") == "of my own", what="for the typed value")


def test_fields_are_shown_as_others_ask_for_them_and_keep_their_values_while_hidden(
    page: Page, house: RunningHouse
) -> None:
    made = house.connect("actions-twilio-messaging-omnichannel", TWILIO)
    body = {"name": "M", "actionId": "sendMessage", "trigger": 'type = "track"', "enabled": True}
    content = {"content_type": "MessageContentText", "text": "Hello", "content_id": "HX1"}
    others = {"fromObject": [{"from": "MessageAddressSender"}], "to": [{"address": "1"}]}
    given = {"settings": {"content": content, **others}}
    saved = house.ask("POST", f"/destinations/{made}/subscriptions", body | given)
    path = f"{house.manage_url}/console/destinations/{made}/mappings/{saved['destinationSubscription']['id']}"
    page.goto(path)
    expect(field(page, "text")).to_be_visible()
    expect(field(page, "content_id")).to_be_hidden()
    field(page, "content_type").get_by_label("Content Type", exact=True).click()
    page.get_by_role("option", name=re.compile("Template")).first.click()
    expect(field(page, "content_id")).to_be_visible()
    expect(field(page, "text")).to_be_hidden()
    field(page, "content_id").get_by_role("textbox").fill("HX2")
    save_mapping(page, house, made)
    content |= {"content_type": "MessageContentTemplate", "content_id": "HX2"}
    until(lambda: mapping(house, made).get("content") == content, what="for the mapping")


def test_settings_are_shown_as_others_ask_for_them(page: Page, house: RunningHouse) -> None:
    made = house.connect("actions-recombee", {"databaseId": "d", "privateToken": "t", "databaseRegion": "us-west"})
    page.goto(f"{house.manage_url}/console/destinations/{made}/settings")
    address = page.get_by_label(re.compile("API URI", re.IGNORECASE))
    expect(page.get_by_label(re.compile("Database Region"))).to_be_visible()
    expect(page.get_by_role("link", name="Learn more")).to_have_attribute("href", re.compile("^https://docs.recombee"))
    expect(address).to_be_hidden()
    page.get_by_label(re.compile("Database Region")).click()
    page.get_by_role("option", name="Custom", exact=True).click()
    address.fill("https://rapi.test")
    page.get_by_label("Private Token *", exact=True).fill("t")
    page.get_by_role("button", name="Save").click()

    def settings() -> dict[str, object]:
        return house.ask("GET", f"/destinations/{made}")["destination"]["settings"]

    until(lambda: settings().get("apiUri") == "https://rapi.test", what="for the setting")
    page.goto(f"{house.manage_url}/console/destinations/{made}/settings")
    expect(address).to_have_value("https://rapi.test")
    page.get_by_label(re.compile("Database Region")).click()
    page.get_by_role("option", name="US (West Coast)").click()
    expect(address).to_be_hidden()
    page.get_by_label("Private Token *", exact=True).fill("t")
    page.get_by_role("button", name="Save").click()
    until(lambda: settings().get("databaseRegion") == "us-west", what="for the region")
    assert settings()["apiUri"] == "https://rapi.test"


def test_a_hook_of_a_saved_mapping_is_run_and_shows_what_came_back(page: Page, house: RunningHouse) -> None:
    made = house.connect("actions-braze-cloud", BRAZE)
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings/new?action=upsertCatalogItem")
    page.get_by_label("Item ID", exact=True).fill("$.properties.id")
    expect(page.get_by_role("heading", name="Select or Create a Catalog")).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Select or Create a Catalog")).to_be_visible()
    expect(field(page, "selected_catalog_name")).to_be_hidden()
    field(page, "operation").get_by_label("Operation", exact=True).click()
    page.get_by_role("option", name="Select an existing catalog").click()
    expect(field(page, "created_catalog_name")).to_be_hidden()
    field(page, "selected_catalog_name").get_by_role("textbox").fill("shop <b>")
    page.get_by_role("button", name="Select or Create a Catalog").click()
    answer = {"catalog_name": "shop <b>"}
    expect(page.locator("pre.json").filter(has_text="catalog_name")).to_contain_text("shop <b>")
    saved = house.ask("GET", f"/destinations/{made}/subscriptions")["subscriptions"][-1]
    assert saved["hooks"] == {"onMappingSave": answer}
    page.reload()
    expect(page.locator("pre.json").filter(has_text="catalog_name")).to_contain_text("shop <b>")


def test_rows_of_a_trigger_are_edited_by_keyboard_alone(page: Page, house: RunningHouse) -> None:
    made = house.connect("actions-sftp", SFTP)
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings/new?action=syncEvents")
    expect(page.get_by_text("It cannot be tried yet")).to_be_visible()
    query = page.get_by_label("Trigger, as a query")
    query.fill('type = "track"')
    first = page.get_by_label("Field", exact=True)
    expect(first).to_have_count(1)
    first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("event")
    page.keyboard.press("Tab")
    expect(query).to_have_value('event = "track"')
    expect(page.get_by_role("combobox", name="Comparison")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("Signed Up")
    page.keyboard.press("Enter")
    expect(query).to_have_value('event = "Signed Up"')
    expect(page.get_by_label("Value", exact=True)).to_be_focused()
    page.get_by_role("button", name="Add a condition").press("Enter")
    expect(page.get_by_label("Field", exact=True).last).to_be_focused()
    query.fill('event = "Signed Up" and properties.plan != null')
    expect(page.get_by_label("Field", exact=True).last).to_have_value("properties.plan")
    expect(page.get_by_label("Value", exact=True).last).to_be_hidden()


def test_an_object_takes_other_keys_and_what_is_wrong_with_them_is_told(page: Page, house: RunningHouse) -> None:
    made = house.connect("actions-sftp", SFTP)
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings/new?action=syncEvents")
    page.get_by_label("Filename prefix", exact=True).fill("$.event")
    others = field(page, "columns\\.\\*")
    others.get_by_role("combobox", name="What Other keys gets").click()
    page.get_by_role("option", name="JSON").click()
    others.get_by_role("textbox").fill("[1]")
    expect(page.get_by_text("It cannot be tried yet")).to_be_visible()
    expect(others.get_by_role("alert")).to_contain_text("This is a JSON object")
    others.get_by_role("textbox").fill('{"shop": {"@path": "$.properties.shop"}, "brand": "acme"}')
    expect(page.get_by_text("It cannot be tried yet")).to_have_count(0)
    save_mapping(page, house, made)
    columns = mapping(house, made)["columns"]
    assert isinstance(columns, dict)
    assert (columns["shop"], columns["brand"]) == ({"@path": "$.properties.shop"}, "acme")
    assert columns["event_name"] == {"@path": "$.event"}


def test_an_object_that_is_not_needed_asks_for_none_of_its_fields(page: Page, house: RunningHouse) -> None:
    made = house.connect("actions-braze-cloud", BRAZE)
    body = {"name": "M", "actionId": "ecommerce", "trigger": 'type = "track"', "enabled": True}
    saved = house.ask("POST", f"/destinations/{made}/subscriptions", body | {"settings": {"external_id": "e"}})
    path = f"{house.manage_url}/console/destinations/{made}/mappings/{saved['destinationSubscription']['id']}"
    page.goto(path)
    expect(field(page, "alias_name").get_by_role("combobox", name="What Alias Name gets")).to_have_value("Not set")


def field(page: Page, key: str) -> Locator:
    """The line of a field."""
    return page.locator(".field-line").filter(has=page.locator("code", has_text=re.compile(f"^{key}$"))).last


def mapping(house: RunningHouse, destination_id: str) -> dict[str, object]:
    """The mapping of the newest subscription."""
    found = house.ask("GET", f"/destinations/{destination_id}/subscriptions")["subscriptions"]
    return found[-1]["settings"] if found else {}
