"""Audiences in the console: made with the form or as text, counted live, told to a destination, entered and seen."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect
from receiver import Receiver, open_receiver

from headwater.contracts.house import RunningHouse, running_house, until

WORKED_OUT_MS = 20_000
NASTY = "<img src=x onerror=alert(1)>"
SPACE = "/spaces/default"


@pytest.fixture(scope="module")
def receiver() -> Generator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house")) as running:
        fill(running)
        yield running


@pytest.fixture
def page(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/audiences")
        yield page


def fill(house: RunningHouse) -> None:
    """Two who ordered, one of them twice and with a hostile name, and one who only looked."""
    for user, event in (("ada", "Order Completed"), ("ada", "Order Completed"), ("bob", "Order Completed")):
        order(house, user, event)
    order(house, "eve", "Product Viewed")
    house.send("/v1/identify", {"userId": "ada", "traits": {"name": NASTY, "plan": "pro"}})
    until(lambda: house.ask("GET", f"/headwater{SPACE}/profiles")["profiles"][2:], what="for three people")
    until(lambda: house.ask("GET", f"/headwater{SPACE}/profiles/user_id:ada")["events"] == 3, what="for Ada")


def order(house: RunningHouse, user: str, event: str = "Order Completed") -> None:
    """Send an order, or another event."""
    assert house.send("/v1/track", {"userId": user, "event": event, "properties": {"total": 60}})[0] == 200


def test_an_audience_is_made_with_the_form_told_and_entered(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    expect(page.get_by_text("No audiences yet")).to_be_visible()
    expect(page.locator(".examples a")).to_have_count(3)
    page.get_by_role("link", name="New audience").click()
    page.get_by_label("Name", exact=True).fill("Loyal <b>Buyers</b>")
    page.get_by_label("Event", exact=True).fill("Order Completed")
    page.get_by_label("Times").fill("2")
    page.get_by_role("button", name="Add a comparison").click()
    page.get_by_label("Property", exact=True).fill("total")
    choose(page, "Comparison", "is at least")
    page.get_by_label("Value", exact=True).fill("50")
    text = page.locator(".cm-content")
    expect(text).to_have_text("event('Order Completed').where(property('total') >= 50).count() >= 2")
    counter = page.locator(".counter")
    expect(counter.locator(".figure")).to_have_text("1", timeout=WORKED_OUT_MS)
    expect(counter.get_by_role("link", name=NASTY)).to_be_visible()
    assert page.locator("#seen-events option").count() == 2

    text.fill("event('Order Completed').count() >= 1 AND trait('plan') = 'pro' AND")
    expect(page.get_by_role("alert")).to_contain_text("Line 1, column")
    expect(page.locator(".wrong-here")).to_be_visible()
    text.fill("event('Order Completed').between(1 hour, 2 hours).count() >= 1")
    expect(page.get_by_text("This query is written by hand")).to_be_visible()
    text.fill("event('Order Completed').count() >= 1 AND (trait('plan') = 'pro' OR trait('plan').absent())")
    expect(page.locator(".group").get_by_label("Trait", exact=True)).to_have_count(2)
    expect(counter.locator(".figure")).to_have_text("2", timeout=WORKED_OUT_MS)
    page.get_by_role("button", name="Remove this group").click()
    expect(text).to_have_text("event('Order Completed').count() >= 1")
    page.get_by_role("button", name="Make audience").click()

    expect(page.get_by_role("heading", name="Loyal <b>Buyers</b>")).to_be_visible()
    expect(page.locator(".profile-facts")).to_contain_text("live", timeout=WORKED_OUT_MS)
    expect(page.get_by_role("table", name="Members").get_by_role("row")).to_have_count(3)
    connect(page, house, receiver)
    until(lambda: names(receiver) == {"ada", "bob"}, what="for those who are in it")
    order(house, "eve")
    moves = page.get_by_role("table", name="Entries and exits")
    expect(moves.get_by_role("row").filter(has_text="eve")).to_contain_text("entered", timeout=WORKED_OUT_MS)
    until(lambda: "eve" in names(receiver), what="for the one who entered")
    assert page.locator(".nicegui-content img").count() == 0


def test_a_computed_trait_is_made_from_an_example_and_an_sql_trait_is_tried(page: Page, house: RunningHouse) -> None:
    page.get_by_role("link", name="Computed traits").click()
    page.get_by_role("link", name="Lifetime Revenue").click()
    expect(page.get_by_label("What", exact=True)).to_be_visible()
    page.get_by_label("Taken property").fill("total")
    expect(page.locator(".cm-content")).to_have_text("event('Order Completed').sum(property('total'))")
    row = page.locator(".counter").get_by_role("row").filter(has_text="ada")
    expect(row).to_contain_text("120", timeout=WORKED_OUT_MS)
    page.get_by_role("button", name="Make computed trait").click()
    expect(page.get_by_role("heading", name="Lifetime Revenue")).to_be_visible()
    page.goto(f"{house.manage_url}/console/computed-traits/default/sql/new")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("table", name="Calls")).to_contain_text('"orders": 2', timeout=WORKED_OUT_MS)
    page.get_by_label("Name", exact=True).fill("Orders")
    page.get_by_role("button", name="Make SQL trait").click()
    expect(page.get_by_role("table", name="SQL traits")).to_contain_text("Orders")


def test_the_pages_about_audiences_fit_on_a_telephone(browser: Browser, house: RunningHouse) -> None:
    body = {"name": "Narrow", "enabled": False, "audienceType": "USERS", "definition": {"query": "trait('plan') = 1"}}
    id = house.ask("POST", f"{SPACE}/audiences", body)["audience"]["id"]
    with watched_page(browser, viewport={"width": 390, "height": 800}, color_scheme="dark") as (page, _):
        sign_in(page, house, next_path=f"/console/audiences/default/{id}/edit")
        for heading in ("Edit Narrow", "Narrow"):
            expect(page.locator("h1")).to_have_text(re.compile(f"^{heading}"))
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, heading
            if heading == "Edit Narrow":
                page.get_by_role("link", name="Narrow").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        page.wait_for_url("**/console/audiences?space=default")


def connect(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    """Make a webhook on the source of what changes, and have it told of the audience that is shown."""
    own = next(one["id"] for one in house.ask("GET", "/sources")["sources"] if one["settings"].get("spaceId"))
    hook = {"sourceId": own, "metadataId": "webhook", "name": "CRM", "settings": {"url": receiver.url}}
    house.ask("POST", "/destinations", hook)
    page.get_by_role("button", name="Connect").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Destination or warehouse")).to_have_value("CRM (Webhook)")
    dialog.get_by_label("Name of the event on entering").fill("Became Loyal")
    dialog.get_by_role("button", name="Connect").click()
    expect(page.locator(".told")).to_contain_text("“Became Loyal”")


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a list."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def names(receiver: Receiver) -> set[str]:
    """Who the receiver was told of as having entered."""
    events = [one for body in receiver.bodies for one in (body if isinstance(body, list) else [body])]
    return {one.get("userId", "") for one in events if one.get("event") == "Became Loyal"}
