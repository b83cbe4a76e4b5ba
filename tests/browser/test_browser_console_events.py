"""The console's live view, trace and refused events, driven as a person would, against a whole house."""

from __future__ import annotations

import re
import time
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect
from receiver import Receiver, open_receiver

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def receiver() -> Generator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        running.connect("webhook", {"url": receiver.url}, name=f"Hook {NASTY}")
        yield running


@pytest.fixture(scope="module")
def signed_in(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/events")
        yield page


@pytest.fixture
def page(house: RunningHouse, signed_in: Page) -> Page:
    signed_in.goto(f"{house.manage_url}/console/events")
    return signed_in


def track(house: RunningHouse, name: str, message_id: str, **more: object) -> None:
    event = {"type": "track", "event": name, "userId": "ada", "messageId": message_id, **more}
    assert house.send("/v1/track", event)[0] == 200


def go(page: Page, house: RunningHouse, path: str) -> None:
    page.goto(f"{house.manage_url}/console{path}")


def following(page: Page, house: RunningHouse) -> None:
    """Wait until the page follows what comes."""
    track(house, "Is anybody there", f"knock-{page.url}")
    expect(page.get_by_role("option").first).to_be_visible()


def into_a_new_second() -> None:
    """Samples are kept of a few deliveries a second: leave those that came before behind."""
    now = int(time.time())
    until(lambda: int(time.time()) > now, what="for the next second")


def test_an_event_is_seen_as_it_comes_and_opened_as_a_call_and_as_json(page: Page, house: RunningHouse) -> None:
    following(page, house)
    track(house, NASTY, "live-1", properties={"total": 27.5, "note": NASTY})
    row = page.get_by_role("option").filter(has=page.get_by_text(NASTY, exact=True))
    expect(row).to_contain_text("First source")
    row.click()
    panel = page.get_by_role("complementary", name="The chosen event")
    expect(panel).to_contain_text(f'analytics.track("{NASTY}", {{')
    panel.get_by_role("button", name="Raw").click()
    expect(panel).to_contain_text('"messageId": "live-1"')
    panel.get_by_role("link", name="Trace").click()
    expect(page.get_by_role("heading", name="live-1")).to_be_visible()
    assert page.locator("main img").count() == 0


def test_a_pause_stops_the_display_and_nothing_is_lost_by_it(page: Page, house: RunningHouse) -> None:
    following(page, house)
    page.get_by_role("button", name="Pause").click()
    track(house, "While paused", "paused-1")
    expect(page.get_by_text("1 new")).to_be_visible()
    expect(page.get_by_role("option", name="While paused")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("option", name="While paused")).to_have_count(1)


def test_filters_choose_from_what_came_and_from_what_comes(page: Page, house: RunningHouse) -> None:
    track(house, "Apple", "apple-1", properties={"colour": "green"})
    track(house, "Pear", "pear-1")
    expect(page.get_by_role("option", name="Pear")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("GREEN")
    expect(page.get_by_role("option", name="Pear")).to_have_count(0)
    expect(page.get_by_role("option", name="Apple")).to_have_count(1)
    track(house, "Pear", "pear-2")
    track(house, "Apple", "apple-2", properties={"colour": "green too"})
    expect(page.get_by_role("option", name="Apple")).to_have_count(2)
    expect(page.get_by_role("option", name="Pear")).to_have_count(0)


def test_the_list_is_walked_with_the_keyboard(page: Page, house: RunningHouse) -> None:
    track(house, "Older", "keys-1")
    track(house, "Newer", "keys-2")
    expect(page.get_by_role("option", name="Newer")).to_be_visible()
    page.get_by_role("option").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="The chosen event")
    expect(panel).to_contain_text('analytics.track("Older"')
    panel.get_by_role("button", name="Close").press("Enter")
    expect(panel).to_be_hidden()


def test_the_list_holds_five_hundred_events_at_most(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    following(page, house)
    batch = [{"type": "track", "event": "Many", "userId": "u", "messageId": f"many-{at}"} for at in range(700)]
    house.send("/v1/batch", {"batch": batch})
    expect(page.get_by_text("more not shown")).to_be_visible()
    page.reload()
    expect(page.get_by_role("option")).to_have_count(200)
    assert page.get_by_role("option").count() <= 500
    until(lambda: sum(body.get("event") == "Many" for body in receiver.bodies) >= 700, what="for all at the webhook")


def test_the_debugger_shows_one_source_only(page: Page, house: RunningHouse) -> None:
    body = {"slug": "other", "name": "Other source", "metadataId": "python"}
    other = house.ask("POST", "/sources", body)["source"]
    track(house, "Of the first", "first-1")
    house.send("/v1/track", {"event": "Of the other", "userId": "u"}, write_key=other["writeKeys"][0])
    go(page, house, f"/sources/{other['id']}/debugger")
    expect(page.get_by_role("option", name="Of the other")).to_be_visible()
    expect(page.get_by_role("option")).to_have_count(1)


def test_a_trace_shows_the_way_of_an_event_to_its_destination(
    page: Page, house: RunningHouse, receiver: Receiver
) -> None:
    into_a_new_second()
    track(house, "Traced", "traced/1 ?", context={"page": {"url": "https://a.test/?utm_campaign=spring"}})
    until(lambda: any(body["messageId"] == "traced/1 ?" for body in receiver.bodies), what="for the webhook")
    page.get_by_label("messageId to trace").fill("traced/1 ?")
    page.get_by_role("button", name="Trace").click()
    expect(page.get_by_role("heading", name="traced/1 ?")).to_be_visible()
    main = page.get_by_role("main")
    expect(main).to_contain_text("As a single call (track), from First source")
    expect(main).to_contain_text("name: spring")
    expect(main.get_by_role("link", name=f"Hook {NASTY}")).to_be_visible()
    expect(main).to_contain_text("Delivered")
    page.get_by_text("Attempt 1").click()
    expect(main).to_contain_text(f"POST {receiver.url}")


def test_what_was_given_up_is_sent_again_from_its_trace(page: Page, house: RunningHouse, receiver: Receiver) -> None:
    receiver.status = 400
    try:
        track(house, "Refused there", "again-1")
        go(page, house, "/events/again-1")
        expect(page.get_by_text("Given up")).to_be_visible()
    finally:
        receiver.status = 200
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("It is tried again now.")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Delivered", timeout=20_000)


def test_an_unknown_message_id_says_how_far_was_looked(page: Page, house: RunningHouse) -> None:
    go(page, house, "/events/nobody-sent-this")
    expect(page.get_by_text("No trace of this messageId")).to_be_visible()
    page.get_by_role("link", name="Look 7 days back").click()
    expect(page.get_by_text("sought over the last 7 days")).to_be_visible()


def test_a_refused_event_is_listed_with_its_reason_and_what_to_do(page: Page, house: RunningHouse) -> None:
    house.send("/v1/batch", {"batch": [{"type": "track", "userId": "ada", "messageId": "wrong-1", NASTY: NASTY}]})
    page.get_by_role("link", name="Refused events").click()
    row = page.get_by_role("row", name=re.compile("wrong-1"))
    expect(row).to_contain_text("A track call has no event.")
    row.get_by_role("link", name="wrong-1").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Failed on ingest")
    expect(main).to_contain_text("What to do: Correct what sends it.")
    expect(main).to_contain_text(NASTY)
    assert page.locator("main img").count() == 0
