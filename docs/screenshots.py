"""Pictures of every page of the console, light and dark, wide and narrow, of a house with something in it.

`make screenshots` runs it; the pictures are in the folder `screenshots`, which is not kept.
"""

import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from headwater.contracts.console import page_paths
from headwater.contracts.doubles import refusing_port
from headwater.contracts.house import RunningHouse, running_house, until

FOLDER = Path(__file__).parents[1] / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
CALLS = (
    ("track", "Order Completed", {"order_id": "o-1", "revenue": 49.9, "currency": "EUR"}),
    ("track", "Product Viewed", {"product_id": "p-7", "name": "Wool socks", "price": 12}),
    ("track", "Cart Viewed", {"products": [{"product_id": "p-7", "quantity": 2}]}),
    ("page", "Home", {"path": "/", "url": "https://shop.example/?utm_source=mail", "title": "Shop"}),
    ("identify", "", {"email": "ada@example.com", "plan": "pro"}),
)


def main() -> None:
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(f"No browser is on the PATH; install one of {', '.join(BROWSERS)}.")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_house(Path(folder)) as house, refusing_port() as port:
        fields = fill(house, port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for theme, width in itertools.product(("light", "dark"), WIDTHS):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
                take(page, house, fields, f"{theme}-{width}")
                page.close()
            browser.close()


def fill(house: RunningHouse, refusing: int) -> dict[str, str]:
    """Events of an hour's making, a destination that works and one that fails. Returns what pages need to be named."""
    house.ask("POST", "/sources", {"slug": "web_shop", "enabled": True, "metadataId": "javascript", "name": "Web shop"})
    house.connect("webhook", {"url": f"{house.collect_url}/v1/m"}, name="Works")
    failing = house.connect("webhook", {"url": f"http://127.0.0.1:{refusing}/"}, name="Order service")
    chance = random.Random(7)  # noqa: S311 - the same pictures every time
    for number in range(400):
        kind, name, properties = chance.choice(CALLS)
        call = {"type": kind, "userId": f"user-{number % 40}", "messageId": f"shot-{number}"}
        call |= {"event": name} if kind == "track" else {"name": name} if name else {}
        call["traits" if kind == "identify" else "properties"] = properties
        house.send(f"/v1/{kind}", call)
    meet(house)
    worked_out = work_out(house)
    house.send("/v1/track", {"userId": "user-1", "messageId": "shot-bad", "event": "Broken", "properties": "no object"})
    until(
        lambda: house.ask("GET", "/headwater/storage")["archive"]["events"] >= 400, seconds=60, what="for the archive"
    )
    time.sleep(3)
    warehouse = house.ask("GET", "/warehouses")["warehouses"][0]["id"]
    profile = house.ask("GET", "/headwater/spaces/default/profiles/user_id:user-1")["id"]
    return {
        "space": "default",
        "space_id": "default",
        "profile_id": profile,
        "source_id": house.source_id(),
        "destination_id": failing,
        "warehouse_id": warehouse,
        "message_id": "shot-7",
        "slug": "webhook",
        "engine": "postgres",
        **worked_out,
    }


def meet(house: RunningHouse) -> None:
    """One person who is seen on two devices before it is known who they are, and another on one of them."""
    for device in ("laptop", "phone"):
        house.send("/v1/page", {"type": "page", "anonymousId": device, "name": "Home", "messageId": f"shot-{device}"})
        house.send("/v1/identify", {"userId": "user-1", "anonymousId": device, "traits": {"name": "Ada Lovelace"}})
    house.send("/v1/identify", {"userId": "user-1", "traits": {"plan": "enterprise", "city": "London", "seats": 12}})
    house.send("/v1/group", {"userId": "user-1", "groupId": "acme", "traits": {"name": "Acme", "employees": 120}})
    house.send("/v1/track", {"userId": "user-2", "anonymousId": "laptop", "event": "Signed In"})


def work_out(house: RunningHouse) -> dict[str, str]:
    """Audiences and traits, one of them told to somebody. Returns what their pages need to be named."""
    space = "/spaces/default"
    queries = {
        "Loyal buyers": "event('Order Completed').where(property('revenue') >= 20).within(30 days).count() >= 2"
        " AND (trait('plan') = 'pro' OR trait('seats') > 10)",
        "Cart left behind": "event('Cart Viewed').within(7 days).count() >= 1 AND NOT trait('loyal_buyers') = true",
    }
    ids = [
        house.ask("POST", f"{space}/audiences", {"name": name, "audienceType": "USERS", "definition": {"query": query}})
        for name, query in queries.items()
    ]
    audience = ids[0]["audience"]["id"]
    value = {"type": "USERS", "query": "event('Order Completed').sum(property('revenue'))"}
    trait = house.ask("POST", f"{space}/computed-traits", {"name": "Revenue", "definition": value})
    sql = "SELECT user_id, count(*) AS orders FROM events WHERE event = 'Order Completed' GROUP BY ALL"
    by_sql = house.ask("POST", f"/headwater{space}/sql-traits", {"name": "Orders", "key": "user_id", "sql": sql})
    own = next(one["id"] for one in house.ask("GET", "/sources")["sources"] if one["settings"].get("spaceId"))
    hook = {"sourceId": own, "metadataId": "webhook", "name": "CRM", "settings": {"url": f"{house.collect_url}/v1/m"}}
    told = {"id": house.ask("POST", "/destinations", hook)["destination"]["id"], "type": "destination"}
    house.ask("POST", f"{space}/audiences/{audience}/destination-connections", {"destination": told})
    return {
        "audience_id": audience,
        "trait_id": trait["computedTrait"]["id"],
        "sql_trait_id": by_sql["sqlTrait"]["id"],
    }


def take(page: Page, house: RunningHouse, fields: dict[str, str], kind: str) -> None:
    """All pages as one browser sees them; what goes wrong in them is printed."""
    page.on("console", lambda said: print("console:", said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: print("page:", error))
    page.goto(f"{house.manage_url}/console/")
    page.screenshot(path=FOLDER / f"sign-in-{kind}.png")
    page.fill("input[name=token]", house.token)
    page.click("form:first-of-type button")
    for path in page_paths(**fields):
        page.goto(house.manage_url + path)
        page.wait_for_selector(".skeleton", state="detached")
        page.wait_for_timeout(1_000)
        name = path.removeprefix("/console/").replace("/", "_") or "overview"
        for field, value in fields.items():
            name = name.replace(value, field)
        page.screenshot(path=FOLDER / f"{name}-{kind}.png", full_page=True)
        print(json.dumps({"page": path, "kind": kind}), flush=True)


if __name__ == "__main__":
    main()
