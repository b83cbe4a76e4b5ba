"""The official browser client and ours make the same calls; what collect received is the same but for a listed few.

The list and its reasons are those of design note 0012.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_house import JSON_TYPE, KEY, SCRIPT, Scene, packages
from chromium import Watch, watched_page
from playwright.sync_api import Browser, Page

QUERY = "?utm_source=s&utm_campaign=c&q=a+b#part"
CALLS = [
    "analytics.page()",
    "analytics.page('C', 'N', {a: 1}, {x: 1})",
    "analytics.page('N', {path: '/mine', title: null})",
    "analytics.page({a: 1}, {context: {page: {referrer: 'r'}}})",
    "analytics.track('before')",
    "analytics.identify({early: 1})",
    "analytics.identify('u1', {a: 1, d: new Date(0), n: null, u: undefined, deep: {list: [1, {x: 2}]}})",
    "analytics.identify({b: 2})",
    "analytics.identify(null, {c: 3}, {ip: '1.2.3.4'})",
    "analytics.identify()",
    "analytics.track('E', {a: 1, f: 1.5, s: 'ö'}, {integrations: {X: true, Y: {z: 1}}, context: {app: {name: 'n'}}})",
    "analytics.track('E2')",
    "analytics.track('E3', {}, {timestamp: '2020-01-01T00:00:00.000Z', messageId: 'm-1', traits: {z: 1}})",
    "analytics.track('E4', null, {timestamp: new Date(86400000)})",
    "analytics.track('E5', {}, {page: {url: null}, anything: {x: 1}})",
    "analytics.group('g', {plan: 'p'})",
    "analytics.group('g', {more: 1})",
    "analytics.group('h', {other: 1})",
    "analytics.screen('S')",
    "analytics.screen('C', 'S', {a: 1})",
    "analytics.alias('u2', 'u0')",
    "analytics.track('E6', {}, {userId: 'given'})",
    "analytics.identify('u3', {fresh: 1})",
    "analytics.identify(42)",
    "analytics.track('E7', {}, {anonymousId: 'given-anonymous'})",
    "analytics.reset()",
    "analytics.track('after reset')",
    "analytics.setAnonymousId('chosen')",
    "analytics.track('after choice')",
]

ALLOWED = {
    r".*\.context\.library\.version": "each says which library it is",
    r"alias\.userId": "the official client puts the current user in the place of the new id",
    r"track E6\.userId": "the official client puts the current user in the place of the id that a call was given",
}
"""Paths that may differ, each with its reason."""


class Run:
    """What became of the calls made by one of the two clients."""

    def __init__(self, scene: Scene, page: Page, watch: Watch, mark: str) -> None:
        for call in CALLS:
            page.evaluate(f"Promise.resolve({call}).then(() => 0)")
        count = sum(not re.search(r"reset\(|setAnonymousId", call) for call in CALLS)
        self.events = scene.await_events(mark, count)
        self.cookies = page.context.cookies()
        self.storage = page.evaluate("Object.fromEntries(Object.entries(localStorage))")
        self.known = self._known()

    def _known(self) -> dict[str, str]:
        """Ids that are made up, by the order in which they appear: both clients should change them at the same time."""
        ids = [event["anonymousId"] for event in self.events]
        return {one: f"anonymous {number}" for number, one in enumerate(dict.fromkeys(ids))}

    def plain(self) -> list[dict[str, Any]]:
        """The events as flat paths, without what differs between any two runs."""
        return [dict(self._paths(f"{event['type']} {event.get('event', '')}".strip(), event)) for event in self.events]

    def _paths(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict) and value:
            for name, below in value.items():
                yield from self._paths(f"{path}.{name}", below)
        else:
            yield path, self._shape(value)

    def _shape(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value in self.known:
            return self.known[value]
        value = re.sub(r"/(ours|theirs)\b", "/page", value)
        value = re.sub(r"^20(?!20-01-01).*T.*Z$", "a time", value)
        value = re.sub(r"^ajs-next-\d{13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "an id", value)
        return re.sub(r"^(ours|theirs)$", "mark", value)


def official_page(scene: Scene, mark: str, options: str = "{}") -> str:
    """A page whose snippet loads the official client; settings and everything else are those of the collect role."""
    bundles = packages() / "@segment" / "analytics-next" / "dist" / "umd"
    for file in bundles.glob("*.js"):
        scene.put(f"/analytics-next/bundles/{file.name}", file.read_bytes(), SCRIPT)
    scene.put(f"/analytics.js/v1/{KEY}/analytics.min.js", (bundles / "standalone.js").read_bytes(), SCRIPT)
    scene.put(f"/v1/projects/{KEY}/settings", settings_of(scene), JSON_TYPE)
    site = scene.site.url("").removeprefix("http://")
    return scene.put_page(mark, first=f"analytics._cdn = 'http://{site}'", script_host=site, options=options)


def settings_of(scene: Scene) -> bytes:
    return scene.run(scene.collect.send(f"/v1/projects/{KEY}/settings", None, method="GET")).body


@pytest.fixture(scope="module")
def runs(browser: Browser, scene: Scene) -> dict[str, Run]:
    made: dict[str, Run] = {}
    for mark, address in (("ours", scene.put_page("ours", first="")), ("theirs", official_page(scene, "theirs"))):
        with watched_page(browser) as (page, watch):
            page.goto(address + QUERY)
            page.wait_for_function("window.analytics.initialized")
            made[mark] = Run(scene, page, watch, mark)
    return made


def test_both_clients_send_the_same_events(runs: dict[str, Run]) -> None:
    differing = [
        f"{path}: ours {ours.get(path, ...)!r}, theirs {theirs.get(path, ...)!r}"
        for ours, theirs in zip(runs["ours"].plain(), runs["theirs"].plain(), strict=True)
        for path in sorted({*ours, *theirs})
        if ours.get(path, ...) != theirs.get(path, ...) and not any(re.fullmatch(each, path) for each in ALLOWED)
    ]
    assert differing == []


@pytest.mark.parametrize("allowed", ALLOWED)
def test_every_difference_that_is_allowed_is_still_there(runs: dict[str, Run], allowed: str) -> None:
    pairs = zip(runs["ours"].plain(), runs["theirs"].plain(), strict=True)
    differing = {path for ours, theirs in pairs for path in ours if ours[path] != theirs.get(path)}
    assert any(re.fullmatch(allowed, path) for path in differing)


def test_both_clients_keep_the_same(runs: dict[str, Run]) -> None:
    ours, theirs = runs["ours"], runs["theirs"]
    assert ours.storage == {name: value for name, value in theirs.storage.items() if value != "null"}
    fields = ("name", "value", "domain", "path", "sameSite", "secure", "httpOnly")
    kept = [sorted([one.get(field) for field in fields] for one in run.cookies) for run in (ours, theirs)]
    assert kept[0] == kept[1]
    lasting = [{one["name"]: round(one["expires"] / 3_600) for one in run.cookies} for run in (ours, theirs)]
    assert all(abs(lasting[0][name] - lasting[1][name]) <= 1 for name in lasting[0])


def test_the_official_client_works_with_nothing_but_the_settings_of_the_house(browser: Browser, scene: Scene) -> None:
    official_page(scene, "unused")
    source = scene.site.url("/analytics-next/bundles/index.js")
    load = f"""
      const {{AnalyticsBrowser}} = window.AnalyticsNext;
      window.made = AnalyticsBrowser.load({{writeKey: '{KEY}', cdnURL: 'http://{scene.collect_host}'}});
      const mark = {{mark: 'npm'}};
      made.page('N', {{}}, mark); made.identify('u', {{a: 1}}, mark); made.track('E', {{}}, mark);"""
    with watched_page(browser) as (page, _):
        page.goto(scene.put("/npm", f"<script src='{source}'></script><script>{load}</script>"))
        assert sorted(event["type"] for event in scene.await_events("npm", 3)) == ["identify", "page", "track"]


def batch_of(browser: Browser, address: str) -> Any:
    """The body of the first batch that a page sends."""
    with watched_page(browser) as (page, _):
        with page.expect_request("**/v1/b") as request:
            page.goto(address)
            page.wait_for_function("window.analytics.initialized")
            page.evaluate("analytics.track('A', {a: 1}); analytics.identify('u')")
        return request.value.post_data_json


def test_both_clients_send_the_same_batches(browser: Browser, scene: Scene) -> None:
    strategy = "{strategy: 'batching', config: {size: 2}}"
    options = f"{{integrations: {{'Segment.io': {{deliveryStrategy: {strategy}}}}}}}"
    ours = batch_of(browser, scene.put_page("ours-batch", first="", options=options))
    theirs = batch_of(browser, official_page(scene, "theirs-batch", options))
    assert ours.keys() == theirs.keys()
    # The official client repeats the envelope's key in every event.
    assert [event.keys() | {"writeKey"} for event in ours["batch"]] == [event.keys() for event in theirs["batch"]]
    assert [event["integrations"] for event in ours["batch"]] == [event["integrations"] for event in theirs["batch"]]
