"""Answers beside the tracking calls: methods, CORS, budgets, addresses, settings for SDKs."""

import asyncio
from typing import Any

import msgspec
import pytest
from collect_doubles import WORKSPACE, Answered, Api, basic

from headwater.collect.addresses import Proxies
from headwater.collect.answers import preflight
from headwater.collect.sdk_settings import public_address
from headwater.collect.throttle import Throttle
from headwater.spec.errors import SetupError

KEY: dict[str, str | list[str]] = {"authorization": basic("k1")}
EVENT = b'{"userId":"u1","event":"E"}'


def send(path: str, body: bytes = b"", **more: Any) -> Answered:
    return asyncio.run(Api().send(path, body, **more))


def kept_header(path: str, *, client: str = "203.0.113.7:40000", settings: Any = None, **headers: Any) -> Any:
    async def run() -> Any:
        api = Api(**(settings or {}))
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        assert (await api.send(path, EVENT, headers={**KEY, **lines}, client=client)).status == 200
        return (await api.kept())[0][0]

    return asyncio.run(run())


def test_an_unknown_path_is_404_in_json() -> None:
    answer = send("/v2/track", EVENT)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/v1/track", "GET", "POST, HEAD, OPTIONS"),
        ("/v1/batch/", "DELETE", "POST, HEAD, OPTIONS"),
        ("/v1/m", "GET", "POST, HEAD, OPTIONS"),
        ("/v1/pixel/track", "POST", "GET, HEAD, OPTIONS"),
        ("/v1/projects/k1/settings", "POST", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_405_and_says_which_is_right(path: str, method: str, allowed: str) -> None:
    answer = send(path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/track", "/v1/pixel/track", "/health", "/v1/projects/nobody/settings"])
def test_head_finds_every_path(path: str) -> None:
    assert send(path, method="HEAD").status == 200


def test_metrics_of_the_browser_library_are_answered_200_and_dropped() -> None:
    async def run() -> None:
        api = Api()
        for body in (b'{"series":[]}', b"nonsense", b""):
            answer = await api.send("/v1/m", body)
            assert (answer.status, answer.json) == (200, {"success": True})
        assert await api.kept() == []

    asyncio.run(run())


# Browsers of other origins


def test_a_preflight_allows_what_browsers_send() -> None:
    answer = send(
        "/v1/t",
        method="OPTIONS",
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-retry-count,x-own",
        },
    )
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert answer.status == 204
    assert {"authorization", "content-type", "x-retry-count", "x-own"} <= allowed
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"GET", "POST", "OPTIONS"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert int(answer.headers["access-control-max-age"]) >= 600
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/v1/track", "/v1/m", "/v1/pixel/page", "/v1/projects/k1/settings", "/elsewhere"])
def test_a_preflight_needs_no_key_and_no_known_path(path: str) -> None:
    assert send(path, method="OPTIONS").status == 204


def test_only_names_of_headers_are_echoed() -> None:
    headers = dict(preflight("https://a.example", "x-good, bad name, x:bad, \u00e9, , X-RETRY-COUNT"))
    allowed = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, x-good"
    assert headers["access-control-allow-headers"] == allowed


@pytest.mark.parametrize(("path", "body"), [("/v1/t", EVENT), ("/v1/t", b"{"), ("/v1/nowhere", b"")])
def test_every_answer_can_be_read_by_the_page_that_asked(path: str, body: bytes) -> None:
    answer = send(path, body, headers={**KEY, "origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"Retry-After", "X-RateLimit-Reset"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_without_an_origin_any_may_read() -> None:
    answer = send("/v1/track", EVENT, headers=KEY)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_the_pixel_is_one_transparent_point_that_is_not_stored() -> None:
    answer = send("/v1/pixel/track", method="GET", query_string="userId=u1&event=E&writeKey=k1")
    assert answer.body.startswith(b"GIF89a\x01\x00\x01\x00")
    assert answer.body.endswith(b";")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/gif", "no-store")


# Budgets


def test_a_source_with_a_limit_is_told_its_budget_and_then_to_wait() -> None:
    async def run() -> None:
        api = Api()
        headers: dict[str, str | list[str]] = {"authorization": basic("k-slow")}
        first = await api.send("/v1/track", EVENT, headers=headers)
        assert first.status == 200
        assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("10", "9")
        batch = b'{"batch":[' + b",".join([b"{}"] * 50) + b"]}"
        assert (await api.send("/v1/batch", batch, headers=headers)).status == 200
        refused = await api.send("/v1/track", EVENT, headers=headers)
        assert (refused.status, refused.json["code"]) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 6
        assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert (await api.send("/v1/track", EVENT, headers=KEY)).status == 200, "another source has its own budget"
        assert len(await api.kept()) == 3, "what is throttled is not kept: the sender comes again"

    asyncio.run(run())


def test_a_pixel_beyond_the_budget_is_an_image_and_counted_as_lost() -> None:
    async def run() -> int:
        api = Api(events_per_second=1)
        for _ in range(3):
            query = "userId=u1&event=E&writeKey=k1"
            assert (await api.send("/v1/pixel/track", method="GET", query_string=query)).status == 200
        return api.app._tally.lost_pixels

    assert asyncio.run(run()) == 2


def test_the_house_may_limit_every_source() -> None:
    async def run() -> list[int]:
        api = Api(events_per_second=2)
        return [(await api.send("/v1/track", EVENT, headers=KEY)).status for _ in range(4)]

    assert asyncio.run(run())[:3] == [200, 200, 429]


def test_a_spent_budget_is_full_again_after_what_the_answer_says() -> None:
    throttle = Throttle()
    assert not throttle.take("s", 10, 35, now=100.0).spent
    spent = throttle.take("s", 10, 1, now=100.0)
    assert (spent.spent, spent.reset) == (True, 3)
    assert throttle.take("s", 10, 1, now=102.0).spent
    assert not throttle.take("s", 10, 1, now=100.0 + spent.reset).spent


def test_a_budget_says_when_it_is_full() -> None:
    throttle = Throttle()
    budget = throttle.take("s", 10, 4, now=0.0)
    assert (budget.limit, budget.remaining, budget.reset) == (10, 6, 1)
    assert throttle.take("s", 10, 1, now=60.0).remaining == 9


def test_without_a_limit_the_budget_headers_are_there_and_never_low() -> None:
    answer = send("/v1/track", EVENT, headers=KEY)
    assert int(answer.headers["x-ratelimit-remaining"]) == int(answer.headers["x-ratelimit-limit"]) > 1_000_000
    assert answer.headers["x-ratelimit-reset"] == "0"


# Where a request comes from


def test_the_address_and_user_agent_are_noted_on_every_route() -> None:
    header = kept_header("/v1/t", user_agent="Mozilla/5.0")
    assert (header.direct, header.ip, header.user_agent) == (True, "203.0.113.7", "Mozilla/5.0")
    header = kept_header("/v1/track", user_agent="analytics-python/2.4.0")
    assert (header.direct, header.ip, header.user_agent) == (False, "203.0.113.7", "analytics-python/2.4.0")


def test_a_stranger_cannot_claim_an_address() -> None:
    assert kept_header("/v1/t", x_forwarded_for="6.6.6.6").ip == "203.0.113.7"


def test_behind_a_trusted_proxy_the_last_hop_that_is_not_one_counts() -> None:
    settings = {"trusted_proxies": ("10.0.0.0/8",)}
    forwarded = ["6.6.6.6", "198.51.100.9, 10.0.0.5"]
    header = kept_header("/v1/t", client="10.0.0.1:1", settings=settings, x_forwarded_for=forwarded)
    assert header.ip == "198.51.100.9"


def test_ipv6_is_left_out_unless_it_is_wanted() -> None:
    assert kept_header("/v1/t", client="[2001:db8::1]:1").ip == ""
    assert kept_header("/v1/t", client="[2001:db8::1]:1", settings={"capture_ipv6": True}).ip == "2001:db8::1"
    assert kept_header("/v1/t", client="[::ffff:203.0.113.9]:1").ip == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], "10.0.0.1"),
        (["198.51.100.9"], "198.51.100.9"),
        (["198.51.100.9:4711"], "198.51.100.9"),
        (["[2001:db8::2]:4711"], "2001:db8::2"),
        (["nonsense"], "10.0.0.1"),
        (["198.51.100.9, nonsense, 10.0.0.2"], "10.0.0.2"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ([""], "10.0.0.1"),
    ],
)
def test_hops_are_read_from_the_right(forwarded: list[str], client: str) -> None:
    assert Proxies(["10.0.0.0/8"]).client("10.0.0.1", forwarded) == client


def test_a_network_that_is_none_is_a_setting_to_change() -> None:
    with pytest.raises(SetupError, match="trusted_proxies"):
        Proxies(["10.0.0.0/99"])


# Settings for SDKs


def test_the_settings_of_a_source_let_the_browser_library_send_here() -> None:
    answer = send("/v1/projects/k1/settings", method="GET", headers={"host": "ingest.example:8080"})
    assert answer.status == 200
    assert list(answer.json["integrations"]) == ["Segment.io"], "any more makes the library fetch chunks"
    segment = answer.json["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == ("k1", "ingest.example:8080/v1", "http")
    assert answer.json["plan"]["track"]["__default"] == {"enabled": True, "integrations": {}}
    assert answer.json["metrics"]["sampleRate"] == 0
    assert answer.headers["cache-control"] == "public, max-age=60"


def test_settings_that_are_known_are_not_sent_again() -> None:
    etag = send("/v1/projects/k1/settings", method="GET").headers["etag"]
    again = send("/v1/projects/k1/settings", method="GET", headers={"if-none-match": f"W/{etag}"})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)


def test_nobody_has_no_settings() -> None:
    assert send("/v1/projects/nobody/settings", method="GET").status == 404


@pytest.mark.parametrize(
    ("public_url", "host", "scheme", "expected"),
    [
        ("https://t.example", "inner:1", "http", ("https", "t.example/v1")),
        ("http://t.example:99/", None, "https", ("http", "t.example:99/v1")),
        ("https://example/ingest/v1", None, "http", ("https", "example/ingest/v1")),
        ("t.example", None, "http", ("https", "t.example/v1")),
        ("", "t.example", "https", ("https", "t.example/v1")),
        ("", "[::1]:8080", "http", ("http", "[::1]:8080/v1")),
        ("", 'x"><script>', "http", ("http", "localhost/v1")),
        ("", None, "javascript", ("http", "localhost/v1")),
    ],
)
def test_the_public_address(public_url: str, host: str | None, scheme: str, expected: tuple[str, str]) -> None:
    assert public_address(public_url, host, scheme) == expected


def test_a_trusted_proxy_says_how_the_client_came() -> None:
    lines: dict[str, str | list[str]] = {
        "host": "inner:8080",
        "x-forwarded-host": "t.example",
        "x-forwarded-proto": "https",
    }
    near = send("/v1/projects/k1/settings", method="GET", headers=lines, client="127.0.0.1:5")
    assert near.json["integrations"]["Segment.io"]["apiHost"] == "t.example/v1"
    assert near.json["integrations"]["Segment.io"]["protocol"] == "https"
    far = send("/v1/projects/k1/settings", method="GET", headers=lines)
    assert far.json["integrations"]["Segment.io"]["apiHost"] == "inner:8080/v1"


# Changes of configuration


def test_a_new_key_counts_as_soon_as_the_snapshot_is_swapped() -> None:
    async def run() -> list[str]:
        api = Api()
        headers: dict[str, str | list[str]] = {"authorization": basic("k3")}
        await api.send("/v1/track", EVENT, headers=headers)
        source = msgspec.structs.replace(WORKSPACE.sources[0], write_keys=("k3",))
        api.snapshot.current = msgspec.structs.replace(WORKSPACE, version=2, sources=(source,))
        await api.send("/v1/track", EVENT, headers=headers)
        return [header.source_id for header, _ in await api.kept()]

    assert asyncio.run(run()) == ["", "s1"]


def test_while_it_drains_the_room_is_not_healthy() -> None:
    api = Api()
    api.app.draining = True
    assert asyncio.run(api.send("/health", method="GET")).status == 503
    assert asyncio.run(api.send("/health", method="HEAD")).status == 503
