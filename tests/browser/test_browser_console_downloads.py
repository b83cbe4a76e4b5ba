"""Files that the console gives: the members of an audience."""

import csv
from collections.abc import Generator

import pytest
from chromium import watched_page
from console_visit import sign_in
from playwright.sync_api import Browser, expect

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    with running_house(tmp_path_factory.mktemp("house"), *IN_ONE_PROCESS) as running:
        yield running


def test_the_members_of_an_audience_are_downloaded(house: RunningHouse, browser: Browser) -> None:
    house.send("/v1/identify", {"userId": "ada", "traits": {"plan": "pro"}})
    until(lambda: house.ask("GET", "/headwater/spaces/default/profiles")["profiles"])
    body = {"name": "Pros", "audienceType": "USERS", "definition": {"query": "trait('plan') = 'pro'"}}
    id = house.ask("POST", "/spaces/default/audiences", body)["audience"]["id"]
    with watched_page(browser) as (page, _):
        sign_in(page, house, next_path=f"/console/audiences/default/{id}")
        expect(page.get_by_role("table", name="Members")).to_contain_text("ada")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Download CSV").click()
        path = waiting.value.path()
        assert waiting.value.suggested_filename == "members.csv"
        with path.open(newline="") as file:
            names, (_, ids) = csv.reader(file)
        assert (names, ids) == (["key", "external_ids"], '{"user_id":["ada"]}')
