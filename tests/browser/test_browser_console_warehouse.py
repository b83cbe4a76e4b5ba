"""The console's pages about warehouses and queries, driven as a person would, against a whole house."""

from __future__ import annotations

from collections.abc import Generator
from urllib.parse import quote

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, Page, expect

from headwater.console.parts.warehouses.examples import EXAMPLES
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        batch = [{"type": "track", "userId": f"u{at}", "event": NASTY, "properties": {"n": at}} for at in range(120)]
        running.send("/v1/batch", {"batch": batch})
        until(lambda: running.query("SELECT count(*) FROM events") == [[120]], what="for the events")
        yield running


@pytest.fixture(scope="module")
def signed_in(house: RunningHouse, browser: Browser) -> Generator[Page]:
    with watched_page(browser) as (page, _):
        page.set_default_timeout(30_000)
        sign_in(page, house, next_path="/console/warehouse")
        yield page


@pytest.fixture
def page(house: RunningHouse, signed_in: Page) -> Page:
    signed_in.goto(f"{house.manage_url}/console/warehouse")
    return signed_in


def test_a_query_runs_with_ctrl_enter_and_its_rows_are_paged_sorted_and_drawn(page: Page, house: RunningHouse) -> None:
    _query(page, house, "SELECT event, (body->>'$.properties.n')::INT AS n FROM events")
    page.get_by_role("textbox").last.press("Control+Enter")
    expect(page.get_by_role("status").filter(has_text="120 rows")).to_be_visible()
    table = page.get_by_role("table", name="Result")
    expect(table.get_by_role("row")).to_have_count(101)
    expect(table.get_by_role("cell", name=NASTY).first).to_be_visible()
    table.get_by_role("button", name="n", exact=True).click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("0")
    table.get_by_role("button", name="n", exact=False).last.click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("119")
    page.get_by_role("button", name="2", exact=True).click()
    expect(table.get_by_role("row")).to_have_count(21)
    with page.expect_download() as kept:
        page.get_by_role("button", name="Download CSV").click()
    lines = kept.value.path().read_text().splitlines()
    assert (lines[0], len(lines)) == ("event,n", 121)
    page.get_by_role("button", name="Chart").click()
    expect(page.get_by_role("img", name="Chart of the result").locator("svg")).to_be_visible()


def test_an_error_is_shown_with_its_place(page: Page, house: RunningHouse) -> None:
    _query(page, house, "SELECT 1,\n  nonsense FROM events")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("status").filter(has_text="Failed at line 2, column 3.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text('Referenced column "nonsense" not found')


def test_a_column_is_put_into_the_query_and_the_query_is_remembered(page: Page, house: RunningHouse) -> None:
    _query(page, house, "SELECT 41 + 1 AS answer")
    page.get_by_role("button", name="message_id varchar").first.click()
    expect(page.get_by_role("textbox").last).to_contain_text("message_id")
    _query(page, house, "SELECT 41 + 1 AS answer")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("cell", name="42")).to_be_visible()
    page.goto(f"{house.manage_url}/console/warehouse/query")
    page.get_by_label("Your last queries").click()
    page.get_by_role("option", name="SELECT 41 + 1 AS answer").click()
    expect(page.get_by_role("textbox").last).to_contain_text("SELECT 41 + 1 AS answer")


def test_every_example_runs(house: RunningHouse) -> None:
    for name, sql in EXAMPLES.items():
        assert isinstance(house.query(sql), list), name


def test_a_warehouse_shows_its_loads_and_tables_and_another_is_connected(page: Page, house: RunningHouse) -> None:
    until(lambda: house.query("SELECT count(*) FROM first_source.tracks") == [[120]], what="for the load")
    page.get_by_role("link", name="DuckDB").click()
    expect(page.get_by_role("table", name="Loads")).to_contain_text("success")
    page.get_by_role("link", name="Tables").click()
    tables = page.get_by_role("table", name="Tables")
    expect(tables.get_by_role("cell", name="first_source.tracks")).to_be_visible()
    page.get_by_role("link", name="Settings").last.click()
    page.get_by_role("button", name="Check the connection").click()
    expect(page.get_by_text("The warehouse answers.")).to_be_visible()
    page.goto(f"{house.manage_url}/console/warehouse/catalog/postgres")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("Needed.")).to_have_count(3)
    page.goto(f"{house.manage_url}/console/warehouse/catalog/duckdb")
    page.get_by_label("Name *").fill(f"Second {NASTY}")
    page.get_by_label("File").fill("second.duckdb")
    page.get_by_role("button", name="Try the settings").click()
    expect(page.get_by_text("The warehouse answers.")).to_be_visible()
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name=f"Second {NASTY}")).to_be_visible()
    assert [one["name"] for one in house.ask("GET", "/warehouses")["warehouses"]] == ["DuckDB", f"Second {NASTY}"]


def _query(page: Page, house: RunningHouse, sql: str) -> None:
    page.goto(f"{house.manage_url}/console/warehouse/query?sql={quote(sql)}")
    expect(page.get_by_role("button", name="message_id varchar").first).to_be_visible()
