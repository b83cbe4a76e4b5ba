"""The calls of analytics.js in a real browser: the classic snippet with only its host changed, and a collect role."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from browser_house import HTML, KEY, ROOT, Scene
from chromium import watched_page
from playwright.sync_api import Browser
from visits import READY, Visit, visit

from headwater.contracts.doubles import Answer
from headwater.contracts.house import until

# Calls


def test_calls_made_before_the_library_is_there_are_made_up_for(browser: Browser, scene: Scene) -> None:
    first = "analytics.page(); history.replaceState(null, '', '/later'); document.title = 'Later'; analytics.track('T')"
    with visit(browser, scene, "early", first=first, query="?q=1#part") as seen:
        page, track = seen.events(2)
        assert (page["type"], page["properties"]["path"], page["properties"]["title"]) == ("page", "/early", "A page")
        assert page["context"]["page"]["url"].endswith("/early?q=1")
        assert (track["event"], track["context"]["page"]["path"]) == ("T", "/later")


def test_each_type_goes_to_its_own_path_without_asking_for_permission(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "types", first="") as seen:
        sent: list[tuple[str, str]] = []
        seen.page.on("request", lambda request: sent.append((request.method, request.url.rpartition("/")[2])))
        for call in ("page()", "screen('S')", "identify('u')", "track('E')", "group('g')", "alias('new', 'old')"):
            seen.do(f"analytics.{call}")
        events = seen.events(6)
        assert sent == [("POST", letter) for letter in "psitga"]
        assert [event["type"] for event in events] == ["page", "screen", "identify", "track", "group", "alias"]
        assert {event["writeKey"] for event in events} == {"a-write-key"}
        assert all({"timestamp", "sentAt", "messageId", "anonymousId", "context"} <= event.keys() for event in events)
        assert (events[4]["groupId"], events[5]["userId"], events[5]["previousId"]) == ("g", "new", "old")


@pytest.mark.parametrize(
    ("call", "category", "name", "properties", "context"),
    [
        ("page()", None, None, {}, {}),
        ("page('N')", None, "N", {"name": "N"}, {}),
        ("page('C', 'N', {a: 1}, {ip: '1.2.3.4'})", "C", "N", {"name": "N", "a": 1}, {"ip": "1.2.3.4"}),
        ("page({a: 1}, {x: 2})", None, None, {"a": 1}, {"x": 2}),
        ("page('N', null, {x: 2})", None, "N", {"name": "N"}, {"x": 2}),
        ("page(null, 'N', {a: 1})", None, "N", {"name": "N", "a": 1}, {}),
        ("page('N', {path: '/mine'})", None, "N", {"path": "/mine"}, {}),
    ],
)
def test_page_takes_its_values_in_any_form(
    scene: Scene, one_page: Visit, call: str, category: Any, name: Any, properties: Any, context: Any
) -> None:
    event = one_page.called(f"analytics.{call}")
    assert (event.get("category"), event.get("name")) == (category, name)
    assert event["properties"] | properties == event["properties"]
    assert event["context"] | context == event["context"]
    assert event["context"]["page"]["path"] == event["properties"]["path"]


@pytest.fixture(scope="module")
def one_page(browser: Browser, scene: Scene) -> Generator[Visit]:
    """A page for many small calls."""
    with visit(browser, scene, "one", first="") as seen:
        yield seen


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{messageId: 'm-1'}", {"messageId": "m-1"}),
        ("{timestamp: new Date(0)}", {"timestamp": "1970-01-01T00:00:00.000Z"}),
        ("{timestamp: '2020-01-01T00:00:00Z'}", {"timestamp": "2020-01-01T00:00:00Z"}),
        ("{userId: 7}", {"userId": "7"}),
        (
            "{integrations: {All: false, 'Segment.io': true, X: {a: 1}}}",
            {"integrations": {"All": False, "Segment.io": True, "X": {"a": 1}}},
        ),
    ],
)
def test_options_reach_the_top_of_the_event(one_page: Visit, options: str, expected: dict[str, Any]) -> None:
    event = one_page.called(f"analytics.track('E', null, {options})")
    assert event | expected == event


def test_any_other_option_goes_into_the_context(one_page: Visit) -> None:
    options = "{traits: {a: 1}, page: {url: null}, context: {device: {id: 'd'}}}"
    event = one_page.called(f"analytics.track('E', {{}}, {options})")
    assert event["context"]["traits"] == {"a": 1}
    assert event["context"]["device"] == {"id": "d"}
    assert event["context"]["page"]["url"] is None
    assert event["context"]["page"]["path"] == "/one"


def test_an_anonymous_id_given_with_a_call_is_kept(browser: Browser, scene: Scene) -> None:
    with visit(
        browser, scene, "given-anonymous", first="analytics.setAnonymousId('mine'); analytics.track('A')"
    ) as seen:
        assert seen.events(1)[0]["anonymousId"] == "mine"
        seen.do("analytics.track('B', {}, {anonymousId: 'other'})")
        assert seen.called("analytics.track('C')")["anonymousId"] == "other"
        assert seen.do("analytics.user().anonymousId()") == "other"


@pytest.mark.parametrize("name", ["''", "null", "undefined", "5", "{}"])
def test_a_track_call_without_a_name_is_refused(one_page: Visit, name: str) -> None:
    said = one_page.do(f"analytics.track({name}).then(() => 'taken', error => error.message)")
    assert "name" in said


def test_callbacks_hear_of_the_event(one_page: Visit) -> None:
    code = (
        "new Promise(done => analytics.track('E', {n: 1}, {}, ctx => done([ctx.event.event, ctx.event.properties.n])))"
    )
    one_page.do("analytics.timeout(10)")
    assert one_page.do(code) == ["E", 1]
    assert one_page.do("new Promise(done => analytics.page(() => done('called')))") == "called"
    assert one_page.do("analytics.track('E').then(ctx => ctx.event.type)") == "track"


def test_listeners_hear_of_every_call(browser: Browser, scene: Scene) -> None:
    first = """
      window.heard = [];
      ['track', 'identify', 'page', 'group', 'alias', 'initialize', 'reset', 'delivery_success'].forEach(
        name => analytics.on(name, (...values) => heard.push([name, ...values.slice(0, 3)])));
      analytics.track('E', {a: 1}, {x: 1}); analytics.identify('u', {t: 1});"""
    with visit(browser, scene, "heard", first=first) as seen:
        seen.events(2)
        seen.do(
            "analytics.once('page', () => heard.push(['once'])); analytics.page('C', 'N'); analytics.page('C', 'N')"
        )
        seen.do("analytics.reset()")
        heard = seen.do("heard.map(one => one[0] === 'initialize' || one[0] === 'delivery_success' ? [one[0]] : one)")
        assert ["track", "E", {"a": 1}, {"x": 1}] in heard
        assert ["identify", "u", {"t": 1}, None] in heard
        assert heard.count(["once"]) == 1
        assert heard.count(["page", "C", "N", None]) == 2
        assert [heard[0], next(one for one in heard if one == ["reset"])] == [["initialize"], ["reset"]]
        assert ["delivery_success"] in heard


def test_old_methods_are_still_there(one_page: Visit) -> None:
    for name in ("addIntegrationMiddleware", "log", "listeners", "addEventListener", "noConflict", "initialize"):
        one_page.do(f"void analytics.{name}('x', () => 1)")
    assert one_page.called("analytics.pageview('/old')")["properties"]["path"] == "/old"
    assert one_page.do("new Promise(done => analytics.ready(() => done(1)))") == 1


# Identity


def test_a_known_user_is_remembered_in_cookies_and_storage(browser: Browser, scene: Scene) -> None:
    with visit(
        browser, scene, "remember", first="analytics.identify(7, {a: 1}); analytics.group('g', {plan: 'pro'})"
    ) as seen:
        identify, group = seen.events(2)
        anonymous = identify["anonymousId"]
        assert (identify["userId"], group["userId"], group["groupId"]) == ("7", "7", "g")
        assert seen.stored() == {
            "ajs_anonymous_id": f'"{anonymous}"',
            "ajs_user_id": '"7"',
            "ajs_user_traits": '{"a":1}',
            "ajs_group_id": '"g"',
            "ajs_group_properties": '{"plan":"pro"}',
        }
        assert seen.cookies() == {"ajs_anonymous_id": anonymous, "ajs_user_id": "7", "ajs_group_id": "g"}
        assert {(one["sameSite"], one["path"]) for one in seen.page.context.cookies()} == {("Lax", "/")}
        assert seen.do("[analytics.group().id(), analytics.group().traits().plan]") == ["g", "pro"]


def test_what_one_store_lost_is_healed_from_the_other(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "heal", first="analytics.identify('u')") as seen:
        seen.events(1)
        kept = seen.cookies()
        seen.page.context.clear_cookies()
        seen.do("analytics.user().id() + analytics.user().anonymousId()")
        assert seen.cookies() == kept
        seen.do("localStorage.clear()")
        assert seen.do("[analytics.user().id(), localStorage.getItem('ajs_user_id')]") == ["u", '"u"']


def test_traits_gather_until_another_user_comes(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "traits", first="analytics.identify({a: 1}); analytics.identify('u', {b: 2})") as seen:
        first, second = seen.events(2)
        assert (first["userId"], first["traits"]) == (None, {"a": 1})
        assert second["traits"] == {"a": 1, "b": 2}
        again = seen.called("analytics.identify(null, {c: 3})")
        assert (again["userId"], again["traits"]) == ("u", {"a": 1, "b": 2, "c": 3})
        assert again["anonymousId"] == first["anonymousId"]
        other = seen.called("analytics.identify('v', {d: 4})")
        assert (other["userId"], other["traits"]) == ("v", {"d": 4})
        assert other["anonymousId"] != first["anonymousId"]


def test_reset_forgets_and_the_next_call_is_somebody_new(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "reset", first="analytics.identify('u', {a: 1}); analytics.group('g')") as seen:
        before = seen.events(2)[0]["anonymousId"]
        seen.do("analytics.reset()")
        assert seen.cookies() == {}
        after = seen.called("analytics.track('E')")
        assert after["userId"] is None
        assert after["anonymousId"] != before


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("ajs_anonymous_id=%22quoted%22", ["quoted", None]),
        ("_sio=old----user", ["old", "user"]),
        ("ajs_user=%7B%22id%22%3A%22older%22%7D; path=/", [None, "older"]),
    ],
)
def test_ids_of_older_versions_are_understood(browser: Browser, scene: Scene, cookie: str, expected: list[Any]) -> None:
    mark = f"older-{len(cookie)}"
    with visit(browser, scene, mark, before=f"document.cookie = '{cookie}'", first="analytics.track('E')") as seen:
        event = seen.events(1)[0]
        assert event["userId"] == expected[1]
        assert expected[0] in (None, event["anonymousId"])


def test_nothing_is_kept_when_the_page_forbids_it(browser: Browser, scene: Scene) -> None:
    options = "{disableClientPersistence: true}"
    with visit(
        browser, scene, "forbid", options=options, first="analytics.identify('u', {a: 1}); analytics.page()"
    ) as seen:
        identify, page = seen.events(2)
        assert (identify["userId"], page["userId"]) == ("u", "u")
        assert identify["anonymousId"] == page["anonymousId"]
        assert (seen.cookies(), seen.stored()) == ({}, {})


def test_a_browser_that_blocks_all_storage_still_sends(browser: Browser, scene: Scene) -> None:
    deny = "get() { throw new DOMException('denied', 'SecurityError') }, set() { throw new DOMException('denied') }"
    before = f"""Object.defineProperty(window, 'localStorage', {{{deny}}});
      Object.defineProperty(document, 'cookie', {{{deny}}});"""
    with visit(browser, scene, "blocked", before=before, first="analytics.identify('u'); analytics.track('E')") as seen:
        identify, track = seen.events(2)
        assert (track["userId"], track["anonymousId"]) == ("u", identify["anonymousId"])


def test_a_page_says_where_ids_are_kept_and_under_which_names(browser: Browser, scene: Scene) -> None:
    options = (
        "{storage: {stores: ['cookie', 'memory']}, user: {cookie: {key: 'mine'}}, cookie: {maxage: 2, path: '/own'}}"
    )
    with visit(browser, scene, "own", options=options, first="analytics.identify('u', {a: 1})") as seen:
        anonymous = seen.events(1)[0]["anonymousId"]
        assert seen.cookies() == {"mine": "u", "ajs_anonymous_id": anonymous}
        assert {one["path"] for one in seen.page.context.cookies()} == {"/own"}
        assert seen.stored() == {}
        assert seen.do("analytics.user().traits()") == {"a": 1}


def test_subdomains_share_their_ids(browser: Browser, scene: Scene) -> None:
    port = scene.site.url().rpartition(":")[2].strip("/")
    scene.put_page("shared", first="analytics.identify('u')")
    scene.put_page("sharing", first="analytics.track('E')")
    hosts = ("a.shop.test", "b.shop.test")
    with watched_page(browser, hosts=hosts) as (page, _):
        page.goto(f"http://a.shop.test:{port}/shared")
        first = scene.await_events("shared", 1)[0]
        page.goto(f"http://b.shop.test:{port}/sharing")
        second = scene.await_events("sharing", 1)[0]
        assert (second["userId"], second["anonymousId"]) == ("u", first["anonymousId"])
        assert {one["domain"] for one in page.context.cookies()} == {".shop.test"}


def test_the_address_of_a_page_may_hold_calls(browser: Browser, scene: Scene) -> None:
    query = "?ajs_aid=abc&ajs_uid=u&ajs_trait_name=Karl+Jr.&ajs_event=Click&ajs_prop_x=1&ajs_prop_x=2"
    with visit(browser, scene, "query", query=query, first="") as seen:
        identify, track = sorted(seen.events(2), key=lambda event: event["type"])
        assert (identify["userId"], identify["anonymousId"], identify["traits"]) == ("u", "abc", {"name": "Karl Jr."})
        assert (track["event"], track["properties"]) == ("Click", {"x": "2"})


def test_the_address_cannot_reach_a_prototype(browser: Browser, scene: Scene) -> None:
    names = ("__proto__", "__proto__.polluted", "constructor", "constructor.prototype.polluted", "toString")
    query = "?ajs_uid=u&ajs_event=hasOwnProperty&utm___proto__=1" + "".join(
        f"&ajs_trait_{name}=polluted&ajs_prop_{name}=polluted" for name in names
    )
    with visit(browser, scene, "prototype", query=query, first="") as seen:
        seen.events(2)
        assert seen.do("({}).polluted === undefined && ({}).toString() === '[object Object]'")
        assert seen.do("Object.keys(Object.prototype).length") == 0
        seen.do("analytics.track('E', JSON.parse('{\"__proto__\": {\"polluted\": 1}}'))")
        seen.do('analytics.user().traits(JSON.parse(\'{"__proto__": {"polluted": 1}}\'))')
        assert seen.do("({}).polluted === undefined")


@pytest.mark.parametrize(("rule", "sent"), [("false", 0), ("{uid: /^\\d+$/}", 0), ("{uid: /^u/}", 1)])
def test_calls_in_the_address_can_be_ruled_out(browser: Browser, scene: Scene, rule: str, sent: int) -> None:
    mark = f"rule-{sent}-{len(rule)}"
    with visit(
        browser, scene, mark, query="?ajs_uid=u", options=f"{{useQueryString: {rule}}}", first="analytics.page()"
    ) as seen:
        assert len([event for event in seen.events(1 + sent) if event["type"] == "identify"]) == sent


# Context


def test_the_context_tells_of_page_campaign_and_browser(browser: Browser, scene: Scene) -> None:
    query = "?utm_source=a%20b&utm_campaign=c&utm_x=1&btid=click"
    with visit(browser, scene, "context", query=query) as seen:
        context = seen.events(1)[0]["context"]
        assert context["campaign"] == {"source": "a b", "name": "c", "x": "1"}
        assert context["referrer"] == {"id": "click", "type": "dataxu"}
        assert context["library"]["name"] == "analytics.js"
        assert context["library"]["version"].startswith("headwater-")
        assert [context["locale"], context["userAgent"]] == seen.do("[navigator.language, navigator.userAgent]")
        assert context["userAgentData"].keys() == {"brands", "mobile", "platform"}
        assert context["timezone"] == seen.do("Intl.DateTimeFormat().resolvedOptions().timeZone")


@pytest.mark.parametrize(
    ("canonical", "path", "url"),
    [
        ("https://shop.example/shoes", "/shoes", "https://shop.example/shoes?q=1"),
        ("https://shop.example/shoes?id=7", "/shoes", "https://shop.example/shoes?id=7"),
        ("/shoes", "/shoes", "{site}/shoes?q=1"),
    ],
)
def test_a_canonical_link_says_where_the_page_is(
    browser: Browser, scene: Scene, canonical: str, path: str, url: str
) -> None:
    mark = f"canonical-{len(canonical)}"
    with visit(browser, scene, mark, head=f"<link rel=canonical href='{canonical}'>", query="?q=1#x") as seen:
        properties = seen.events(1)[0]["properties"]
        assert (properties["path"], properties["url"]) == (path, url.format(site=scene.site.url("")))
        assert properties["search"] == "?q=1"


def test_an_application_of_one_page_tells_its_new_address(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "application", first="") as seen:
        seen.page.goto(scene.put("/from", "<a href='/application'>go</a>"))
        seen.page.click("a")
        seen.page.wait_for_function(READY)
        seen.do("history.pushState(null, '', '/application/next?n=1')")
        event = seen.called("analytics.page()")
        assert event["properties"]["referrer"].endswith("/from")
        assert (event["properties"]["path"], event["properties"]["search"]) == ("/application/next", "?n=1")
        assert seen.called("analytics.page({referrer: 'mine'})")["context"]["page"]["referrer"] == "mine"


# Middleware, plugins, plan, consent


def test_middleware_may_change_and_drop_events(browser: Browser, scene: Scene) -> None:
    first = """
      analytics.addSourceMiddleware(({payload, next}) => { payload.obj.properties.seen = 1; next(payload) });
      analytics.addSourceMiddleware(({payload, next}) => { if (payload.obj.event !== 'Drop') next(payload) });
      analytics.track('Drop'); analytics.track('Keep');"""
    with visit(browser, scene, "middleware", first=first) as seen:
        assert [(event["event"], event["properties"]) for event in seen.events(1)] == [("Keep", {"seen": 1})]


def test_plugins_enrich_and_receive(browser: Browser, scene: Scene) -> None:
    first = """
      window.got = [];
      analytics.register(
        {name: 'Rich', type: 'enrichment', isLoaded: () => true, load: () => Promise.resolve(),
         track: ctx => { ctx.updateEvent('properties.rich', 1); return ctx }},
        {name: 'Mine', type: 'destination', isLoaded: () => true, load: () => Promise.resolve(),
         track: ctx => { got.push(ctx.event.properties); throw new Error('of its own') }});
      analytics.track('E');"""
    with visit(browser, scene, "plugins", first=first) as seen:
        assert seen.events(1)[0]["properties"] == {"rich": 1}
        assert seen.do("got") == [{"rich": 1}]
        seen.do("analytics.deregister('Rich', 'Mine')")
        assert seen.called("analytics.track('E')")["properties"] == {}
        seen.watch.expect("of its own")


@pytest.mark.parametrize(
    ("plan", "integrations"),
    [
        ("{__default: {enabled: true}, E: {enabled: false}}", {"All": False, "Segment.io": True}),
        ("{__default: {enabled: false}}", {"All": False, "Segment.io": True}),
        ("{__default: {enabled: false}, E: {enabled: true, integrations: {X: false}}}", {"X": False}),
        ("{}", {}),
    ],
)
def test_the_plan_of_the_source_is_followed(
    browser: Browser, scene: Scene, plan: str, integrations: dict[str, bool]
) -> None:
    mark = f"plan-{len(plan)}"
    options = f"{{updateCDNSettings: settings => ({{...settings, plan: {{track: {plan}}}}})}}"
    with visit(browser, scene, mark, options=options, first="analytics.track('E')") as seen:
        assert seen.events(1)[0]["integrations"] == integrations


@pytest.mark.parametrize(
    "options",
    ["{integrations: {All: false}}", "{integrations: {'Segment.io': false}}"],
)
def test_a_page_that_leaves_out_the_house_sends_nothing(browser: Browser, scene: Scene, options: str) -> None:
    mark = f"without-{len(options)}"
    with visit(browser, scene, mark, options=options, first="") as seen:
        seen.do("analytics.track('E')")
        assert scene.of(mark) == []


def test_a_disabled_page_keeps_and_sends_nothing(browser: Browser, scene: Scene) -> None:
    address = scene.put_page("disabled", options="{disable: settings => settings.integrations !== undefined}")
    with watched_page(browser) as (page, _):
        with page.expect_response("**/settings"):
            page.goto(address)
        page.wait_for_function("analytics.length === 0")
        page.evaluate("analytics.track('E')")
        assert page.evaluate("[analytics.length, document.cookie, localStorage.length]") == [0, "", 0]
        assert scene.of("disabled") == []


CONSENT = """
  window.granted = {ads: false, analytics: true};
  window.tell = () => {};
"""


def test_events_carry_consent_and_a_change_is_told(browser: Browser, scene: Scene) -> None:
    options = "{consent: {getCategories: () => granted, registerOnConsentChanged: change => { tell = change }}}"
    with visit(browser, scene, "consent", before=CONSENT, options=options) as seen:
        assert seen.events(1)[0]["context"]["consent"] == {"categoryPreferences": {"ads": False, "analytics": True}}
        told = seen.called("granted = {ads: true, analytics: true}; tell(granted)")
        assert told["event"] == "Segment Consent Preference Updated"
        assert told["context"]["consent"] == {"categoryPreferences": {"ads": True, "analytics": True}}


def test_nothing_is_kept_or_sent_before_a_category_of_the_source_is_granted(browser: Browser, scene: Scene) -> None:
    settings = "settings => ({...settings, consentSettings: {allCategories: ['ads'], hasUnmappedDestinations: false}})"
    hooks = "{getCategories: async () => granted, registerOnConsentChanged: change => { tell = change }}"
    address = scene.put_page("gate", options=f"{{consent: {hooks}, updateCDNSettings: {settings}}}")
    with watched_page(browser) as (page, _):
        page.add_init_script(CONSENT)
        with page.expect_response("**/settings"):
            page.goto(address)
        page.evaluate("fetch('/gate').then(answer => answer.text())")
        assert page.evaluate("[document.cookie, localStorage.length, !!analytics.initialized]") == ["", 0, False]
        page.evaluate("granted = {ads: true}; tell(granted)")
        event = scene.await_events("gate", 1)[0]
        assert event["context"]["consent"] == {"categoryPreferences": {"ads": True}}


def test_everything_waits_until_the_page_lets_the_library_load(browser: Browser, scene: Scene) -> None:
    hooks = "{getCategories: () => granted, shouldLoadSegment: () => new Promise(go => { window.go = go })}"
    with watched_page(browser) as (page, _):
        page.add_init_script(CONSENT)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(scene.put_page("hold", options=f"{{consent: {hooks}}}"))
        page.wait_for_function("!!window.go")
        assert [address for address in asked if "settings" in address] == []
        page.evaluate("go()")
        assert scene.await_events("hold", 1)[0]["type"] == "page"


# The start


def test_a_second_inclusion_says_so_and_does_nothing(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "twice") as seen:
        seen.events(1)
        seen.page.add_script_tag(url=f"http://{scene.collect_host}/analytics.js/v1/a-write-key/analytics.min.js")
        until(lambda: seen.do("1") and seen.watch.errors, seconds=30)
        seen.watch.expect("twice")
        seen.called("analytics.track('E')")
        assert len(scene.of("twice")) == 2


@pytest.mark.parametrize(
    "answer",
    [Answer(404, {}, b"{}"), Answer(500, {}, b"{}"), Answer(200, {}, b"<html>")],
    ids=["unknown", "broken", "not JSON"],
)
def test_without_settings_nothing_is_sent(browser: Browser, scene: Scene, answer: Answer) -> None:
    mark = f"nothing-{answer.status}"
    scene.site.script("/cdn/v1/projects/a-write-key/settings", answer)
    address = scene.put_page(mark, options=f"{{cdnURL: '{scene.site.url('/cdn')}'}}")
    with watched_page(browser) as (page, watch):
        page.goto(address)
        until(lambda: page.evaluate("1") and any("analytics.js" in error for error in watch.errors), seconds=30)
        watch.errors.clear()
        assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
        assert scene.of(mark) == []


def test_a_bare_script_tag_finds_its_key_in_its_own_address(browser: Browser, scene: Scene) -> None:
    source = f"http://{scene.collect_host}/analytics.js/v1/a-write-key/analytics.js"
    address = scene.put("/bare", f"<script data-global-segment-analytics-key=house src='{source}'></script>")
    with watched_page(browser) as (page, _):
        page.goto(address)
        page.wait_for_function("window.house && window.house.initialized")
        page.evaluate("house.track('E', {}, {mark: 'bare'})")
        assert scene.await_events("bare", 1)[0]["writeKey"] == "a-write-key"
        assert page.evaluate("typeof window.analytics") == "undefined"


def test_the_snippet_of_the_how_to_page_works_under_a_strict_policy(browser: Browser, scene: Scene) -> None:
    page_of_docs = (ROOT / "docs" / "how-to" / "browser.md").read_text()
    snippet = page_of_docs.partition("```html\n")[2].partition("```")[0]
    snippet = snippet.replace("http://127.0.0.1:8080", f"http://{scene.collect_host}").replace("YOUR_WRITE_KEY", KEY)
    calls = "analytics.on('page', () => {}); analytics.track('E', {}, {mark: 'docs'});"
    head = f"{snippet}<script>{calls}</script>".replace("<script>", "<script nonce=once>")
    house = f"http://{scene.collect_host}"
    policy = f"default-src 'none'; script-src 'nonce-once' {house}; connect-src {house}"
    address = scene.put("/docs", f"<html><head>{head}</head></html>", HTML | {"content-security-policy": policy})
    with watched_page(browser) as (page, _):
        page.goto(address)
        assert scene.await_events("docs", 1)[0]["event"] == "E"
        page.wait_for_function(READY)
        page.evaluate("void analytics.track('later', {}, {mark: 'docs'})")
        assert scene.await_events("docs", 2)[1]["context"]["page"]["path"] == "/docs"
        assert "page" in {event["type"] for event in scene.events() if event["context"]["page"]["path"] == "/docs"}


def test_a_first_page_call_can_be_an_option(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "initial", options="{initialPageview: true}", first="analytics.track('E')") as seen:
        assert {event["type"] for event in seen.events(2)} == {"page", "track"}


# Links and forms


def test_a_link_is_followed_after_its_call(browser: Browser, scene: Scene) -> None:
    scene.put("/goal", "there")
    body = "<div id=around><a href='/goal'>go</a></div>"
    with visit(browser, scene, "link", first="", body=body) as seen:
        seen.do("analytics.trackLink(document.getElementById('around'), el => 'Clicked ' + el.id, {n: 1})")
        seen.page.click("a")
        seen.page.wait_for_url("**/goal")
        event = seen.events(1)[0]
        assert (event["event"], event["properties"]) == ("Clicked around", {"n": 1})


def test_a_link_for_a_new_tab_is_left_alone(browser: Browser, scene: Scene) -> None:
    with visit(browser, scene, "tab", first="", body="<a target=_blank href='/goal'>go</a>") as seen:
        seen.do("analytics.trackClick(document.querySelectorAll('a'), 'Clicked')")
        with seen.page.context.expect_page() as opened:
            seen.page.click("a")
        opened.value.close()
        seen.events(1)
        assert seen.page.url.endswith("/tab")


def test_elements_may_come_from_jquery(browser: Browser, scene: Scene) -> None:
    body = "<a href='#one'>one</a><a href='#two'>two</a>"
    with visit(browser, scene, "jquery", first="", body=body) as seen:
        seen.do("analytics.trackLink({toArray: () => [...document.querySelectorAll('a')]}, a => a.textContent)")
        seen.page.click("text=two")
        seen.page.wait_for_url("**/jquery#two")
        assert seen.events(1)[0]["event"] == "two"
        assert (
            seen.do("(() => { try { analytics.trackLink('a', 'E') } catch (error) { return error.name } })()")
            == "TypeError"
        )


def test_a_form_is_submitted_after_its_call(browser: Browser, scene: Scene) -> None:
    scene.put("/thanks", "thanks")
    body = "<form action='/thanks'><input name=q value=1><button name=submit>go</button></form>"
    with visit(browser, scene, "form", first="", body=body) as seen:
        seen.do("analytics.trackForm(document.forms[0], 'Sent', form => ({q: form.q.value}))")
        seen.page.click("button")
        seen.page.wait_for_url("**/thanks?q=1*")
        assert seen.events(1)[0]["properties"] == {"q": "1"}
