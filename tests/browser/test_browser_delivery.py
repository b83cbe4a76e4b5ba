"""How analytics.js delivers: what it tries again, what outlives a page, and what waits for the next one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser_house import Scene
from playwright.sync_api import Browser
from visits import visit

from headwater.contracts.doubles import Answer
from headwater.contracts.house import until


def to_site(scene: Scene, mark: str, more: str = "") -> str:
    """Load options that send to the site, which answers under a path of the test's own."""
    host = scene.site.url(f"/{mark}-api").removeprefix("http://")
    quick = "httpConfig:{backoffConfig:{baseBackoffInterval:0.02}}"
    return f"{{integrations:{{'Segment.io':{{apiHost:'{host}',protocol:'http',{quick},{more}}}}}}}"


def bodies(scene: Scene, path: str) -> list[Any]:
    return [request.json() for request in scene.site.at(path) if request.method == "POST"]


@pytest.mark.parametrize(
    ("answers", "counts"),
    [
        ([Answer(503), Answer(503), Answer(200)], [None, "1", "2"]),
        ([Answer(429, {"Retry-After": "0"}), Answer(200)], [None, "1"]),
        ([Answer(429, {"Retry-After": "soon"}), Answer(200)], [None, "1"]),
        ([Answer(mischief="garbage"), Answer(200)], [None, "1"]),
        ([Answer(400), Answer(200)], [None]),
        ([Answer(501), Answer(200)], [None]),
        ([Answer(304), Answer(200)], [None]),
    ],
    ids=["503", "429", "429 without a number", "no HTTP", "400", "501", "3xx"],
)
def test_what_may_succeed_later_is_tried_again(
    browser: Browser, scene: Scene, answers: list[Answer], counts: list[str | None], request: Any
) -> None:
    mark = f"again-{request.node.callspec.id.replace(' ', '-')}"
    scene.site.script(f"/{mark}-api/t", *answers)
    names = "['delivery_success', 'delivery_failure']"
    done = f"new Promise(done => {names}.forEach(name => analytics.on(name, () => done(name))))"
    with visit(browser, scene, mark, options=to_site(scene, mark), first="") as seen:
        outcome = seen.do(f"(async () => {{ const done = {done}; analytics.track('E'); return done }})()")
        seen.watch.errors.clear()
        tries = scene.site.at(f"/{mark}-api/t")
        assert [request.headers.get("x-retry-count") for request in tries] == counts
        assert len({request.json()["messageId"] for request in tries}) == 1
        assert len({request.json()["timestamp"] for request in tries}) == 1
        retries = [request.json()["_metadata"].get("retryCount") for request in tries]
        assert retries == [count and int(count) for count in counts]
        assert outcome == ("delivery_failure" if answers[0].status in (400, 501) else "delivery_success")


def test_an_event_is_given_up_after_its_last_try(browser: Browser, scene: Scene) -> None:
    scene.site.script("/tenth-api/t", Answer(500))
    fast = "retryQueue: true, deliveryStrategy: {config: {maxRetries: 2}}"
    with visit(browser, scene, "tenth", options=to_site(scene, "tenth", fast), first="") as seen:
        reason = seen.do("new Promise(done => { analytics.on('error', e => done(e.reason)); analytics.track('E') })")
        seen.watch.errors.clear()
        assert reason == "HTTP 500"
        assert len(scene.site.at("/tenth-api/t")) == 3


def test_events_of_an_offline_page_arrive_when_it_is_online(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "offline", first="") as seen:
        seen.page.context.set_offline(True)
        seen.do("analytics.track('A'); analytics.track('B')")
        seen.page.wait_for_function("Object.keys(localStorage).some(name => name.startsWith('headwater-queue:'))")
        before = seen.do("new Date().toISOString()")
        assert scene.of("offline") == []
        seen.page.context.set_offline(False)
        events = seen.events(2)
        assert [event["event"] for event in events] == ["A", "B"]
        assert all(event["timestamp"] <= before <= event["sentAt"] for event in events)
        seen.page.wait_for_function("!Object.keys(localStorage).some(name => name.startsWith('headwater-queue:'))")


def test_what_a_page_could_not_send_is_sent_by_the_next(browser: Browser, scene: Scene) -> None:
    scene.site.script("/left-api/t", Answer(503))
    slow = to_site(scene, "left").replace("0.02", "60")
    with visit(browser, scene, "left", options=slow, first="analytics.track('A')") as seen:
        seen.page.wait_for_function("Object.keys(localStorage).some(name => name.startsWith('headwater-queue:'))")
        seen.watch.errors.clear()
        scene.site.script("/left-api/t", Answer(200))
        scene.put_page("next", options=to_site(scene, "left"), first="")
        seen.page.goto(scene.site.url("/next"))
        until(lambda: len(bodies(scene, "/left-api/t")) == 2, seconds=30)
        first, second = bodies(scene, "/left-api/t")
        assert (first["messageId"], first["timestamp"]) == (second["messageId"], second["timestamp"])
        assert second["_metadata"]["retryCount"] == 1


def test_what_was_left_by_others_is_taken_as_data_alone(browser: Browser, scene: Scene) -> None:
    lines = """[[1, {"type": "track", "messageId": "kept", "event": "K", "context": {"mark": "strange"},
      "anonymousId": "x", "timestamp": "2026-01-01T00:00:00Z"}],
      [2, "text"], null, 5, [1, {"type": 5}], {"__proto__": []}]"""
    before = f"localStorage.setItem('headwater-queue:a-write-key:x', {json.dumps(lines)});"
    before += "localStorage.setItem('headwater-queue:a-write-key:y', 'not JSON');"
    with visit(browser, scene, "strange", before=before, first="") as seen:
        assert [event["messageId"] for event in seen.events(1)] == ["kept"]
        seen.page.wait_for_function("localStorage.length === 0")


def test_batches_leave_when_they_are_full_or_flushed(browser: Browser, scene: Scene) -> None:
    batching = "deliveryStrategy: {strategy: 'batching', config: {size: 3, timeout: 60000, headers: {'X-Mine': '1'}}}"
    with visit(browser, scene, "batch", options=to_site(scene, "batch", batching), first="") as seen:
        seen.do("['A', 'B', 'C', 'D'].forEach(name => analytics.track(name))")
        until(lambda: scene.site.at("/batch-api/b"), seconds=30)
        seen.do("analytics.flush()")
        until(lambda: len(scene.site.at("/batch-api/b")) == 2, seconds=30)
        first, second = bodies(scene, "/batch-api/b")
        assert [event["event"] for event in first["batch"]] == ["A", "B", "C"]
        assert [event["event"] for event in second["batch"]] == ["D"]
        assert first.keys() == {"writeKey", "batch", "sentAt"}
        assert all("sentAt" not in event for event in first["batch"])
        assert scene.site.at("/batch-api/b")[0].headers["x-mine"] == "1"


def test_batches_leave_after_their_time(browser: Browser, scene: Scene) -> None:
    batching = "deliveryStrategy: {strategy: 'batching', config: {timeout: 30}}"
    with visit(browser, scene, "timed", options=to_site(scene, "timed", batching), first="analytics.track('A')"):
        until(lambda: scene.site.at("/timed-api/b"), seconds=30)
        assert [event["event"] for event in bodies(scene, "/timed-api/b")[0]["batch"]] == ["A"]


def test_an_event_that_is_too_large_is_refused_in_the_page(browser: Browser, scene: Scene) -> None:
    heard = "analytics.once('error', error => done(error.reason))"
    call = "analytics.track('E', {x: 'x'.repeat(33000)})"
    with visit(browser, scene, "large", first="") as seen:
        assert seen.do(f"new Promise(done => {{ {heard}; {call} }})") == "Exceed payload limit"


def received(scene: Scene, path: str) -> set[str]:
    return {event["event"] for body in bodies(scene, path) for event in body["batch"]}


@pytest.mark.parametrize("before", ["", "delete Request.prototype.keepalive"], ids=["keepalive", "beacon"])
def test_a_page_that_goes_loses_nothing(browser: Browser, scene: Scene, before: str) -> None:
    mark = "leaving-beacon" if before else "leaving"
    batching = "deliveryStrategy: {strategy: 'batching', config: {size: 1000, timeout: 60000}}"
    scene.put(f"/{mark}-away", "away")
    scene.put_page(f"{mark}-back", options=to_site(scene, mark, batching), first="")
    names = {f"E{number}" for number in range(30)}
    with visit(browser, scene, mark, before=before, options=to_site(scene, mark, batching), first="") as seen:
        seen.do("for (let n = 0; n < 30; n++) analytics.track('E' + n, {x: 'x'.repeat(4000)})")
        seen.page.goto(scene.site.url(f"/{mark}-away"))
        until(lambda: scene.site.at(f"/{mark}-api/b"), seconds=30)
        sizes = [len(request.body) for request in scene.site.at(f"/{mark}-api/b")]
        assert max(sizes) <= 65_536
        seen.page.goto(scene.site.url(f"/{mark}-back"))
        until(lambda: received(scene, f"/{mark}-api/b") == names, seconds=30)
        seen.watch.errors.clear()


def test_a_page_that_is_only_hidden_sends_and_goes_on(browser: Browser, scene: Scene) -> None:
    batching = "deliveryStrategy: {strategy: 'batching', config: {size: 1000, timeout: 60000}}"
    hide = """Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
      document.dispatchEvent(new Event('visibilitychange'))"""
    with visit(browser, scene, "hidden", options=to_site(scene, "hidden", batching), first="") as seen:
        seen.do("for (let n = 0; n < 40; n++) analytics.track('E' + n, {x: 'x'.repeat(4000)})")
        seen.do(hide)
        until(lambda: len(received(scene, "/hidden-api/b")) == 40, seconds=30)
        seen.page.wait_for_function("!Object.keys(localStorage).some(name => name.startsWith('headwater-queue:'))")


def test_what_waits_for_a_limited_house_waits_as_long_as_it_is_told(browser: Browser, scene: Scene) -> None:
    scene.site.script("/limited-api/t", Answer(429, {"Retry-After": "1"}), Answer(200))
    with visit(browser, scene, "limited", options=to_site(scene, "limited"), first="") as seen:
        heard = "new Promise(done => analytics.on('delivery_success', done))"
        seen.do(f"(async () => {{ const done = {heard}; analytics.track('A'); await done }})()")
        seen.watch.errors.clear()
        first, second = scene.site.at("/limited-api/t")
        assert second.at - first.at >= 0.99


def test_headers_of_the_page_go_along(browser: Browser, scene: Scene) -> None:
    config = "deliveryStrategy: {config: {headers: () => ({'X-Mine': 'yes'}), keepalive: false}}"
    with visit(browser, scene, "headers", options=to_site(scene, "headers", config), first="analytics.track('A')"):
        until(lambda: scene.site.at("/headers-api/t"), seconds=30)
        headers = scene.site.at("/headers-api/t")[0].headers
        assert (headers["x-mine"], headers["content-type"]) == ("yes", "text/plain")
        assert "authorization" not in headers


def test_an_event_refused_while_the_log_is_away_arrives_when_it_is_back(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "away", first="") as seen:
        scene.log.away = True
        retried = "new Promise(done => analytics.once('delivery_retry', () => done('later')))"
        assert seen.do(f"(() => {{ const heard = {retried}; analytics.track('A'); return heard }})()") == "later"
        scene.log.away = False
        event = seen.events(1)[0]
        assert (event["event"], event["_metadata"]["retryCount"]) == ("A", 1)
        seen.watch.expect("503")
