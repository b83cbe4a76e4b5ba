"""The console's pages about destinations, driven as a person would, against a whole house."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect
from receiver import Receiver, open_receiver

from headwater import catalogue
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def receiver() -> Generator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/destinations")
        yield page


@pytest.fixture
def page(house: RunningHouse, signed_in: Page) -> Page:
    signed_in.goto(f"{house.manage_url}/console/destinations")
    return signed_in


def test_somebody_finds_a_destination_in_the_catalogue_and_connects_it(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    page.get_by_role("link", name="Connect a destination").click()
    expect(page.get_by_role("link", name=re.compile("Headwater Sends"))).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("hook")
    expect(page.get_by_role("link", name=re.compile("Headwater Sends"))).to_have_count(0)
    page.get_by_role("link", name=re.compile("Webhook Sends events as JSON")).click()
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("Needed.")).to_be_visible()
    page.get_by_label("URL").fill("not an address")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert").filter(has_text="whole http or https address")).to_be_visible()
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Name *").fill(f"Mine {NASTY}")
    page.get_by_role("button", name="Add a line").click()
    page.get_by_label("Name", exact=True).fill("X-Api-Key")
    page.get_by_label("Value").fill("very-secret")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name=f"Mine {NASTY}")).to_be_visible()
    made = house.ask("GET", "/destinations")["destinations"][0]
    assert made["settings"] == {"url": receiver.url, "headers": {"X-Api-Key": "••••"}}
    page.get_by_role("link", name="Destinations").last.click()
    expect(page.get_by_role("link", name=f"Mine {NASTY}")).to_be_visible()


def test_a_secret_is_never_sent_to_the_browser_and_stays_unless_it_is_typed_again(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    made = house.connect("webhook", {"url": receiver.url, "sharedSecret": "hush-hush"}, name="Signed")
    page.goto(f"{house.manage_url}/console/destinations/{made}/settings")
    secret = page.get_by_label("Shared secret", exact=True)
    expect(secret).to_have_value("")
    assert "hush-hush" not in page.content()
    page.get_by_label("Batch size").fill("5")
    page.get_by_role("button", name="Save").click()
    until(lambda: _settings(house, made).get("batch_size") == 5, what="for the change")
    assert _settings(house, made)["sharedSecret"] == "••••"
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("checkbox", name="Remove Shared secret").click()
    page.get_by_role("button", name="Save").click()
    until(lambda: "sharedSecret" not in _settings(house, made), what="for the secret to go")


def test_a_try_shows_each_decision_and_the_request_and_sends_on_demand(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    made = house.connect("webhook", {"url": receiver.url, "headers": {"X-Api-Key": "hidden"}}, name="Tried")
    house.send("/v1/track", {"userId": "ada", "event": NASTY, "messageId": "tried-1"})
    until(lambda: any(one.get("messageId") == "tried-1" for one in receiver.bodies), what="for the event")
    page.goto(f"{house.manage_url}/console/destinations/{made}/test")
    page.get_by_label("Take a recent event").click()
    page.get_by_role("option", name=re.compile(re.escape(NASTY))).first.click()
    before = len(receiver.bodies)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Integrations")).to_contain_text("passed")
    expect(page.get_by_text(receiver.url)).to_be_visible()
    assert "hidden" not in page.get_by_role("main").inner_text()
    assert len(receiver.bodies) == before
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("HTTP 200")).to_be_visible()
    expect(page.get_by_text("<b>hello</b>")).to_be_visible()
    assert receiver.bodies[before:][0]["event"] == NASTY


def test_a_try_leaves_filters_out_on_demand(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    made = house.connect("webhook", {"url": receiver.url}, name="Unfiltered")
    rule = {"title": "Nothing", "if": "all", "actions": [{"type": "DROP"}], "enabled": True}
    house.ask("POST", f"/destination/{made}/filters", rule | {"sourceId": house.source_id(), "destinationId": made})
    page.goto(f"{house.manage_url}/console/destinations/{made}/test")
    page.get_by_role("button", name="Preview").click()
    step = page.get_by_role("listitem").filter(has_text="Filter")
    expect(step).to_contain_text("stopped")
    before = len(receiver.bodies)
    page.get_by_role("checkbox", name="Ignore filters").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("HTTP 200")).to_be_visible()
    expect(step).to_have_count(0)
    assert len(receiver.bodies) == before + 1


@pytest.mark.skipif(bool(catalogue.missing()), reason=f"the catalogue is not built: {catalogue.missing()}")
def test_a_mapping_is_made_tried_and_saved_and_its_events_arrive(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    made = house.connect("actions-webhook", {}, name=f"Mapped {NASTY}")
    page.goto(f"{house.manage_url}/console/destinations/{made}/mappings")
    page.get_by_role("link", name="Add a mapping").click()
    page.get_by_role("link", name=re.compile("^Send ")).first.click()
    page.get_by_label("Name *").fill(f"Orders {NASTY}")
    page.get_by_label("Trigger, as a query").fill("type = ")
    expect(page.get_by_text(re.compile("At character"))).to_be_visible()
    page.get_by_label("Trigger, as a query").fill('type = "track"')
    page.get_by_role("button", name="Add a condition").click()
    expect(page.get_by_label("Value", exact=True)).to_have_count(2)
    page.get_by_label("Value", exact=True).last.fill("Order Completed")
    page.get_by_label("Value", exact=True).last.press("Enter")
    expect(page.get_by_label("Trigger, as a query")).to_have_value('type = "track" and event = "Order Completed"')
    choose(page, "What URL gets", "Fixed value")
    page.get_by_label("URL", exact=True).fill(receiver.url)
    choose(page, "What Data gets", "Mapping (JSON)")
    expect(page.get_by_label("Data", exact=True)).to_have_value("")  # the box of the kind before is gone
    page.get_by_label("Data", exact=True).fill('{"who": {"@path": "$.userId"}, "what": {"@template": "a {{event}}"}}')
    expect(page.get_by_text("The trigger holds for this event.")).to_be_visible()
    expect(page.get_by_text('"what": "a Order Completed"').first).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name=f"Orders {NASTY}")).to_be_visible()
    assert page.locator("main img").count() == 0

    def arrived() -> bool:
        """A mapping is in force a moment after it was saved; what comes before meets none."""
        house.send("/v1/track", {"userId": "ada", "event": "Order Completed"})
        house.send("/v1/track", {"userId": "ada", "event": "Other"})
        return {"who": "ada", "what": "a Order Completed"} in receiver.bodies

    until(arrived, what="for the mapped event")
    page.get_by_role("switch", name=f"Orders {NASTY} takes events").click()
    until(lambda: not _subscriptions(house, made)[0]["enabled"], what="for the mapping to be off")


def test_a_filter_is_made_tried_edited_and_deleted(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    made = house.connect("webhook", {"url": receiver.url}, name="Filtered")
    page.goto(f"{house.manage_url}/console/destinations/{made}/filters")
    page.get_by_label("Title *").fill(f"Less {NASTY}")
    page.get_by_label("For events where *").fill("event = ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile("At character"))).to_be_visible()
    page.get_by_label("For events where *").fill("event = 'Order Completed'")
    choose(page, "What it does", "Remove some properties")
    page.get_by_label("Properties").fill("properties: revenue")
    page.get_by_role("button", name="Try", exact=True).click()
    left = page.locator("pre.json")
    expect(left).to_contain_text("currency")
    expect(left).not_to_contain_text("revenue")
    page.get_by_role("button", name="Save").click()
    line = page.get_by_role("listitem").filter(has_text=f"Less {NASTY}")
    expect(line).to_contain_text("removes properties: revenue")
    line.get_by_role("button", name=re.compile("Edit")).click()
    choose(page, "What it does", "Do not send the event")
    page.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("does not send the event")
    line.get_by_role("button", name=re.compile("Delete")).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No filter")).to_be_visible()


def test_a_replay_is_counted_and_started(page: Page, house: RunningHouse) -> None:
    with open_receiver() as new:
        made = house.connect("webhook", {"url": new.url}, name="Replayed")
        page.goto(f"{house.manage_url}/console/destinations/{made}/replays")
        page.get_by_label("Event names, by commas").fill("Nobody ever sent this")
        page.get_by_role("button", name="Count first").click()
        expect(page.get_by_text("0 events are meant.")).to_be_visible(timeout=20_000)
        page.get_by_label("Event names, by commas").fill("")
        page.get_by_role("button", name="Start").click()
        line = page.get_by_role("listitem").filter(has_text="Replay to Replayed")
        expect(line).to_contain_text("ended", timeout=60_000)
        until(lambda: new.bodies, what="for the events of before")


def test_failed_deliveries_are_looked_at_and_sent_again(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    with open_receiver() as fickle:
        fickle.status = 400
        made = house.connect("webhook", {"url": fickle.url}, name="Fickle")
        batch = [{"type": "track", "userId": "ada", "event": NASTY} for _ in range(5)]
        house.send("/v1/batch", {"batch": batch})
        until(lambda: len(_parked(house, made, "failed")) == 5, what="for the failures")
        page.goto(f"{house.manage_url}/console/destinations/{made}")
        reason = page.get_by_text("BAD_REQUEST")
        expect(reason).to_be_visible()
        reason.click()
        expect(page.locator("summary")).to_have_count(5)
        page.get_by_role("button", name="Count").click()
        expect(page.get_by_role("listitem").filter(has_text="Failed delivery")).to_contain_text("5")
        page.get_by_role("link", name="Failures").click()
        expect(page.get_by_role("link", name=f"track · {NASTY}")).to_have_count(5)
        page.get_by_role("button", name="Details").first.click()
        expect(page.get_by_role("dialog")).to_contain_text("The destination refused the request as malformed (400).")
        page.get_by_role("button", name="Close").click()
        fickle.status = 200
        page.get_by_role("row").nth(1).get_by_role("checkbox").click()
        page.get_by_role("button", name="Send 1 chosen again").click()
        expect(page.get_by_text("Of 1 sent again: 1 delivered, 0 failed, 0 waiting.")).to_be_visible()
        expect(page.get_by_role("link", name=f"track · {NASTY}")).to_have_count(4)
        page.get_by_role("button", name="Send all again").click()
        expect(page.get_by_text("Send 4 deliveries that failed again?")).to_be_visible()
        page.get_by_label("until").fill("2001-01-01T00:00")
        expect(page.get_by_text("No delivery that failed was parked in this time.")).to_be_visible()
        expect(page.get_by_role("button", name="Send again", exact=True)).to_be_disabled()
        page.get_by_label("until").fill("")
        page.get_by_label("Parked from").fill("2001-01-01T00:00")
        expect(page.get_by_text("Send 4 deliveries that failed again?")).to_be_visible()
        page.get_by_role("button", name="Send again", exact=True).click()
        expect(page.get_by_text("Nothing here")).to_be_visible()
        until(lambda: len(_parked(house, made, "delivered")) == 5, what="for the deliveries")


def test_a_destination_is_paused_resumed_switched_off_and_deleted(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    made = house.connect("webhook", {"url": receiver.url}, name="Short-lived")
    page.goto(f"{house.manage_url}/console/destinations/{made}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("This destination is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("This destination is paused")).to_have_count(0)
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("switched off")).to_be_visible()
    page.get_by_role("link", name="Settings").last.click()
    page.get_by_role("button", name="Delete this destination").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Destinations", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Short-lived")).to_have_count(0)
    assert all(one["id"] != made for one in house.ask("GET", "/destinations")["destinations"])


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def _subscriptions(house: RunningHouse, destination_id: str) -> list[dict[str, object]]:
    return house.ask("GET", f"/destinations/{destination_id}/subscriptions")["subscriptions"]


def _settings(house: RunningHouse, destination_id: str) -> dict[str, object]:
    return house.ask("GET", f"/destinations/{destination_id}")["destination"]["settings"]


def _parked(house: RunningHouse, destination_id: str, state: str) -> list[dict[str, object]]:
    path = f"/headwater/parked?destinationId={destination_id}&state={state}&pagination.count=200"
    return house.ask("GET", path)["deliveries"]
