"""Segment's destinations, unchanged, in their worker: what they send, and what becomes of events."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from catalogue_house import Running, Tool, answer, defaults, running_workers, webhook

from headwater import catalogue
from headwater.catalogue import Call, Ended, Refused
from headwater.spec.destination import NoAnswer, Request, Response
from headwater.spec.errors import SetupError, Unavailable

if said := catalogue.missing():
    pytest.skip(said, allow_module_level=True)

TRACK = {
    "type": "track",
    "event": "Button Clicked",
    "userId": "u1",
    "anonymousId": "a1",
    "messageId": "m1",
    "timestamp": "2026-01-02T03:04:05.000Z",
    "receivedAt": "2026-01-02T03:04:06.000Z",
    "properties": {"n": 5, "a b": "q"},
    "context": {"library": {"name": "x"}},
}
IDENTIFY = {**TRACK, "type": "identify", "traits": {"email": "ann@shop.example"}}
OLD = {"access_token": "old", "refresh_token": "r1", "clientId": "c", "clientSecret": "s"}

MIXPANEL = {"projectToken": "t", "apiSecret": "s", "apiRegion": "US 🇺🇸"}
BRAZE = {"api_key": "k", "app_id": "a", "endpoint": "https://rest.iad-01.braze.com"}


@pytest.fixture(scope="module")
def house() -> Iterator[Running]:
    with running_workers() as running:
        yield running


def call(destination: str, action: str, *events: Any, **changed: Any) -> Call:
    mapping = {**defaults(destination, action), **changed.pop("mapping", {})}
    trigger = 'type = "identify"' if events[0]["type"] == "identify" else 'type = "track"'
    given = {"settings": {}, "trigger": trigger, "mapping": mapping, "events": events}
    return Call(destination=destination, action=action, **(given | changed))


def test_a_webhook_sends_the_event_signed(house: Running) -> None:
    tool = Tool()
    assert house.deliver(webhook(TRACK), tool).items == (Ended("ok", 200),)
    (request,) = tool.requests
    assert (request.method, request.url) == ("POST", "https://tool.example/in")
    assert request.headers["user-agent"] == "Segment (Actions)"
    assert request.headers["x-signature"] == hmac.new(b"s3cret", request.body, "sha1").hexdigest()
    assert request.secrets == ("s3cret",)
    assert tool.bodies() == [TRACK]


def test_an_event_passes_as_bytes_that_nobody_reads(house: Running) -> None:
    tool = Tool()
    raw = b'{ "type":"track",\n "n":1.0, "text":"\\u00fc\\n" }'
    assert house.kinds(webhook(raw), tool) == ["ok"]
    assert tool.bodies() == [{"type": "track", "n": 1, "text": "ü\n"}]


@pytest.mark.parametrize(
    ("destination", "action", "settings", "host"),
    [
        ("actions-google-analytics-4", "customEvent", {"measurementId": "G-1", "apiSecret": "s"}, "google-analytics"),
        ("actions-mixpanel", "trackEvent", MIXPANEL, "mixpanel"),
        ("actions-amplitude", "logEventV2", {"apiKey": "k", "secretKey": "s", "endpoint": "north_america"}, "ampl"),
        ("actions-braze-cloud", "trackEvent", BRAZE, "braze.com/users/track"),
        ("actions-posthog", "event", {"api_key": "k", "project_id": "1", "endpoint": "https://us.i.posthog.com"}, "po"),
        ("actions-accoil-analytics", "track", {"api_key": "k"}, "accoil"),
    ],
)
def test_well_known_destinations_build_their_requests(
    house: Running, destination: str, action: str, settings: dict[str, Any], host: str
) -> None:
    tool = Tool(by=lambda request: answer(200, {"code": 200}))
    mapping = {"clientId": "a1", "name": "click"} if "google" in destination else {}
    ended = house.deliver(call(destination, action, TRACK, settings=settings, mapping=mapping), tool).items
    assert ended == (Ended("ok", 200),)
    assert host in tool.requests[0].url


def test_every_destination_can_be_loaded_and_described_by_the_worker(house: Running) -> None:
    async def all_of_them() -> list[Any]:
        slugs = [slug for slug in catalogue.names() if not catalogue.definition(slug).direct]
        return await asyncio.gather(*(house.workers.ask("manifest", {"dest": slug}, Tool()) for slug in slugs))

    described = house.run(all_of_them())
    assert len(described) == 214 - 9
    assert all(each["actions"] for each in described)


# The traps: what breaks silently, or only under load.


def test_events_of_destinations_whose_names_have_spaces_are_validated(house: Running) -> None:
    """A later fast-uri takes the name of the schema for a malformed address, at the first event."""
    assert " " in catalogue.definition("actions-braze-cloud").name
    untimed = {name: value for name, value in TRACK.items() if name not in ("timestamp", "receivedAt")}
    ended = house.deliver(call("actions-braze-cloud", "trackEvent", untimed, settings=BRAZE), Tool()).items
    assert (ended[0].kind, ended[0].status) == ("permanent", 400)
    assert "missing the required field 'time'" in ended[0].message


def test_the_core_keeps_its_own_time_out(house: Running) -> None:
    """It has none when it is given a signal, and then only a deadline ends a request."""
    tool = Tool()
    house.deliver(webhook(TRACK), tool)
    assert tool.requests[0].timeout == 10.0


@pytest.mark.parametrize("trigger", ['userId = oops"', "", "all of it", '"track"'])
@pytest.mark.parametrize("batch", [False, True])
def test_an_invalid_trigger_is_a_failure_and_no_silence(house: Running, trigger: str, batch: bool) -> None:
    tool = Tool()
    ended = house.deliver(webhook(TRACK, TRACK, trigger=trigger, batch=batch), tool).items
    assert [(item.kind, item.code) for item in ended] == [("permanent", "INVALID_TRIGGER")] * 2
    assert tool.requests == []


@pytest.mark.parametrize("action", ["nothing", "constructor", "__proto__"])
def test_an_unknown_action_is_a_failure_and_no_silence(house: Running, action: str) -> None:
    ended = house.deliver(webhook(TRACK, action=action), Tool()).items
    assert (ended[0].kind, ended[0].code) == ("permanent", "UNKNOWN_ACTION")
    ended = house.deliver(webhook(TRACK, destination="actions-nothing"), Tool()).items
    assert (ended[0].kind, ended[0].code) == ("permanent", "UNKNOWN_DESTINATION")


def test_unsubscribed_events_of_a_batch_are_skipped_and_not_failed(house: Running) -> None:
    tool = Tool()
    page = {"type": "page"}
    assert house.kinds(webhook(page, TRACK, page, TRACK, batch=True), tool) == ["skipped", "ok", "skipped", "ok"]
    assert [len(body) for body in tool.bodies()] == [2]
    assert house.kinds(webhook(page, page, batch=True), tool) == ["skipped"] * 2


def test_one_event_that_fails_hides_no_other(house: Running) -> None:
    tool = Tool(by=lambda request: Response(400 if b'"bad"' in request.body else 200))
    bad, good = {**TRACK, "event": "bad"}, {**TRACK, "event": "good"}
    assert house.kinds(webhook(good, bad, good), tool) == ["ok", "permanent", "ok"]


def test_a_batch_whose_request_fails_shares_its_fate(house: Running) -> None:
    tool = Tool(Response(503, {"retry-after": "7"}, b"busy"))
    ended = house.deliver(webhook(TRACK, TRACK, batch=True), tool).items
    assert [(item.kind, item.status, item.retry_after) for item in ended] == [("retry", 503, 7.0)] * 2
    assert "busy" in ended[0].message


def test_destinations_that_count_for_statistics_work(house: Running) -> None:
    assert house.kinds(call("actions-noop", "noop", TRACK), Tool()) == ["ok"]


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        ('type = "track"', "ok"),
        ("type = 'track'", "skipped"),
        ('event != "X"', "ok"),
        ('properties.zz != "a"', "ok"),
        ('!contains(properties.zz,"a")', "skipped"),
        ('!match(properties.zz,"a*")', "skipped"),
        ("properties.n = 5", "ok"),
        ('properties.n = "5"', "skipped"),
        ("properties.n != 6", "ok"),
        ("properties.zz != 6", "skipped"),
        ("properties.zz = null", "ok"),
        ("properties.zz != null", "skipped"),
        ('(type = "track" or type = "page") and properties.n > 4', "ok"),
        ('match(event,"Button*")', "ok"),
        ('match(event,"*Clicked")', "ok"),
        ('match(event,"*ton*")', "skipped"),
        ('properties.a\\ b = "q"', "ok"),
        ('context.library.name = "x" and properties.n >= -4.5', "ok"),
    ],
)
def test_triggers_hold_as_in_the_original(house: Running, trigger: str, kind: str) -> None:
    assert house.kinds(webhook(TRACK, trigger=trigger), Tool()) == [kind]


# What an answer means.


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "ok"),
        (204, "ok"),
        (301, "permanent"),
        (400, "permanent"),
        (401, "auth"),
        (403, "auth"),
        (404, "permanent"),
        (408, "retry"),
        (423, "retry"),
        (429, "retry"),
        (500, "retry"),
        (501, "permanent"),
        (502, "retry"),
    ],
)
@pytest.mark.parametrize("batch", [False, True])
def test_a_status_decides_the_fate(house: Running, status: int, kind: str, batch: bool) -> None:
    ended = house.deliver(webhook(TRACK, batch=batch), Tool(Response(status, {}, b""))).items
    assert (ended[0].kind, ended[0].status) == (kind, status)


def test_a_tool_that_repeats_a_secret_does_not_show_it(house: Running) -> None:
    made = webhook(TRACK, settings={"sharedSecret": "very-s3cret"})
    (ended,) = house.deliver(made, Tool(Response(400, {}, b"no good: very-s3cret"))).items
    assert "no good: ••••" in ended.message
    args = {"dest": "actions-klaviyo", "settings": {"api_key": "very-s3cret"}, "audienceName": "Loyal"}
    with pytest.raises(Refused, match="••••") as refused:
        ask(house, "createAudience", Tool(answer(400, {"errors": [{"detail": "very-s3cret"}]})), **args)
    assert "very" not in str(refused.value)


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("UNREACHABLE", "retry", "ECONNREFUSED"),
        ("TIMEOUT", "retry", "ETIMEDOUT"),
        ("PRIVATE_ADDRESS", "permanent", "PRIVATE_ADDRESS"),
        ("INVALID_SETTINGS", "permanent", "INVALID_SETTINGS"),
    ],
)
def test_no_answer_may_pass_or_last(house: Running, reason: str, kind: str, code: str) -> None:
    ended = house.deliver(webhook(TRACK), Tool(NoAnswer(reason, "why so"))).items
    assert (ended[0].kind, ended[0].code, ended[0].message) == (kind, code, "why so")


def test_an_event_that_lacks_what_an_action_needs_is_told_which(house: Running) -> None:
    ended = house.deliver(webhook(TRACK, url="not an address"), Tool()).items
    assert (ended[0].kind, ended[0].status) == ("permanent", 400)
    assert "URL must be a valid URI" in ended[0].message


def test_a_destination_that_crashes_is_told_as_one(house: Running) -> None:
    made = call("actions-klaviyo", "upsertProfile", IDENTIFY, settings={"api_key": "k"}, mapping={"list_id": "L1"})
    ended = house.deliver(made, Tool(answer(201, {}))).items
    assert (ended[0].kind, ended[0].code, ended[0].status) == ("permanent", "CRASH", 0)


def test_a_batch_has_a_fate_for_each_item(house: Running) -> None:
    """The third is invalid before it is sent; of the others the tool takes the first."""
    events = (TRACK, {**TRACK, "messageId": "m2"}, {**TRACK, "userId": None, "event": None})
    made = call("actions-braze-cloud", "trackEvent", *events, settings=BRAZE, batch=True)
    reply = answer(201, {"message": "success", "errors": [{"type": "bad", "input_array": "events", "index": 1}]})
    tool = Tool(reply)
    assert house.kinds(made, tool) == ["ok", "permanent", "permanent"]
    assert [len(body["events"]) for body in tool.bodies()] == [2]


def test_events_that_only_come_back_are_handed_over(house: Running) -> None:
    named = {"event_name": {"@path": "$.event"}, "user_id": {"@path": "$.userId"}}
    key = {"source_write_key": "w"}
    made = call("actions-segment", "sendTrack", TRACK, TRACK, settings=key, mapping=named, batch=True)
    tool = Tool()
    ended = house.deliver(made, tool)
    assert [item.kind for item in ended.items] == ["ok", "ok"]
    assert [event["event"] for event in ended.events] == ["Button Clicked"] * 2
    assert tool.requests == []


def test_redirects_are_followed_outside(house: Running) -> None:
    tool = Tool(Response(200, {}, b"followed"))
    assert house.kinds(webhook(TRACK), tool) == ["ok"]
    assert tool.requests[0].redirects == 20


def test_bodies_may_be_binary_both_ways(house: Running) -> None:
    tool = Tool(by=lambda request: Response(200, {"content-type": "application/octet-stream"}, b"\x08\x00\xff\xfe"[:2]))
    event = {
        **TRACK,
        "context": {
            "personas": {"external_audience_id": "products/DISPLAY_VIDEO_ADVERTISER/customers/1/userLists/300"},
            "device": {"advertisingId": "38400000-8cf0-11bd-b23e-10b96e40000d", "type": "android"},
        },
    }
    made = call("actions-display-video-360", "addToAudience", event, mapping={"enable_batching": True}, batch=True)
    house.deliver(made, tool)
    sent = [request for request in tool.requests if request.headers.get("content-type") == "application/octet-stream"]
    assert len(sent) == 1
    with pytest.raises(UnicodeDecodeError):
        sent[0].body.decode()


# OAuth.


class Authority:
    """A tool that knows one access token, gives a new one for each refresh token once, and a turn to refresh."""

    def __init__(self, good: str = "new-1") -> None:
        self.good = good
        self.tokens = dict(OLD)
        self.refreshes = 0
        self.saved: list[dict[str, str]] = []
        self._turn = asyncio.Lock()

    def __call__(self, request: Request) -> Response | None:
        if "oauth" in request.url or "token" in request.url:
            if f"refresh_token={self.tokens['refresh_token']}" not in request.body.decode():
                return answer(400, {"error": "invalid_grant"})
            self.refreshes += 1
            return answer(200, {"access_token": self.good, "refresh_token": "r2"})
        return answer(200, {"id": "1"}) if self.good in request.headers.get("authorization", "") else answer(401)

    async def save(self, tokens: dict[str, str]) -> None:
        self.saved.append(tokens)
        self.tokens |= tokens

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[dict[str, str]]:
        async with self._turn:
            yield dict(self.tokens)


def hubspot(*events: Any, tokens: dict[str, str] = OLD) -> Call:
    return call("actions-hubspot-cloud", "upsertContact", *(events or (IDENTIFY,)), tokens=tokens)


def test_refused_tokens_are_refreshed_saved_and_used(house: Running) -> None:
    authority = Authority()
    tool = Tool(by=authority)
    more = {"save_tokens": authority.save, "hold_tokens": authority.hold}
    assert house.deliver(hubspot(), tool, **more).items == (Ended("ok", 200),)
    assert [request.method for request in tool.requests] == ["PATCH", "POST", "PATCH"]
    assert authority.saved == [{"access_token": "new-1"}]
    assert {"old", "r1", "s"} <= set(tool.requests[0].secrets)


def test_calls_of_one_connection_refresh_once_between_them(house: Running) -> None:
    authority = Authority()

    async def together() -> list[str]:
        more: Any = {"save_tokens": authority.save, "hold_tokens": authority.hold}
        asked = [house.workers.deliver(hubspot(IDENTIFY, IDENTIFY), Tool(by=authority), **more) for _ in range(8)]
        return [item.kind for ended in await asyncio.gather(*asked) for item in ended.items]

    assert house.run(together()) == ["ok"] * 16
    assert authority.refreshes == 1
    assert len(authority.saved) == 1


def test_salesforce_refreshes_too(house: Running) -> None:
    authority = Authority()
    settings = {"instanceUrl": "https://shop.my.salesforce.com", "isSandbox": False}
    mapping = {"operation": "create", "last_name": "Ann"}
    made = call("actions-salesforce", "contact", IDENTIFY, settings=settings, mapping=mapping, tokens=OLD)
    more = {"save_tokens": authority.save, "hold_tokens": authority.hold}
    assert [item.kind for item in house.deliver(made, Tool(by=authority), **more).items] == ["ok"]
    assert authority.refreshes == 1


def test_tokens_that_cannot_be_refreshed_are_the_owners_matter(house: Running) -> None:
    authority = Authority()
    stale = OLD | {"refresh_token": "spent"}
    ended = house.deliver(hubspot(tokens=stale), Tool(by=authority)).items
    assert (ended[0].kind, ended[0].code) == ("auth", "OAUTH_REFRESH_FAILED")
    away = Tool(answer(401), NoAnswer("UNREACHABLE", "away"))
    assert house.kinds(hubspot(), away) == ["retry"]


def test_what_a_store_of_tokens_raises_is_raised(house: Running) -> None:
    async def save(tokens: dict[str, str]) -> None:
        raise Unavailable("The store is away.")

    with pytest.raises(Unavailable, match="The store is away"):
        house.deliver(hubspot(), Tool(by=Authority()), save_tokens=save)


# Questions.


def ask(house: Running, method: str, tool: Tool, **args: Any) -> Any:
    more = {key: args.pop(key) for key in ("tokens", "save_tokens", "hold_tokens") if key in args}
    return house.run(house.workers.ask(method, args, tool, **more))


def test_credentials_are_tested(house: Running) -> None:
    args = {"dest": "actions-klaviyo", "settings": {"api_key": "k"}}
    assert ask(house, "testAuth", Tool(answer(200, {"data": [{"id": "1"}]})), **args) is None
    with pytest.raises(Refused, match="Credentials are invalid") as refused:
        ask(house, "testAuth", Tool(answer(401)), **args)
    assert (refused.value.kind, refused.value.status) == ("auth", 401)
    with pytest.raises(Refused, match="required"):
        ask(house, "testAuth", Tool(), dest="actions-klaviyo")
    with pytest.raises(Unavailable):
        ask(house, "testAuth", Tool(answer(503)), **args)
    with pytest.raises(Unavailable, match="away"):
        ask(house, "testAuth", Tool(NoAnswer("UNREACHABLE", "away")), **args)


def test_choices_of_a_dynamic_field_come_from_the_tool(house: Running) -> None:
    lists = {"data": [{"id": "L1", "attributes": {"name": "Newsletter"}}], "links": {}}
    args = {"dest": "actions-klaviyo", "action": "upsertProfile", "field": "list_id", "settings": {"api_key": "k"}}
    found = ask(house, "dynamicField", Tool(answer(200, lists)), **args)
    assert found["choices"] == [{"label": "Newsletter", "value": "L1"}]
    missing = ask(house, "dynamicField", Tool(), **(args | {"field": "nothing"}))
    assert missing["error"]["code"] == "404"


def test_stale_tokens_are_refreshed_for_questions_too(house: Running) -> None:
    authority = Authority()
    more = {"tokens": OLD, "save_tokens": authority.save, "hold_tokens": authority.hold}
    assert ask(house, "testAuth", Tool(by=authority), dest="actions-hubspot-cloud", **more) is None
    assert authority.saved == [{"access_token": "new-1"}]
    tokens = ask(house, "refresh", Tool(by=Authority()), dest="actions-hubspot-cloud", tokens=OLD)
    assert tokens == {"access_token": "new-1"}


def test_an_audience_is_made_and_found(house: Running) -> None:
    args = {"dest": "actions-klaviyo", "settings": {"api_key": "k"}, "audienceName": "Loyal", "audienceSettings": {}}
    tool = Tool(answer(201, {"data": {"id": "L9"}}))
    assert ask(house, "createAudience", tool, **args) == {"externalId": "L9"}
    assert "Loyal" in tool.requests[0].body.decode()
    found = ask(house, "getAudience", Tool(answer(200, {"data": {"id": "L9"}})), **(args | {"externalId": "L9"}))
    assert found == {"externalId": "L9"}


def test_a_person_is_deleted_where_the_tool_can(house: Running) -> None:
    tool = Tool(answer(202))
    event = {"userId": "u1", "anonymousId": "a1"}
    settings = {"sdkKey": "k", "endpoint": "north_america", "apiKey": "k", "secretKey": "s"}
    ask(house, "onDelete", tool, dest="actions-amplitude", settings=settings, event=event)
    assert "u1" in tool.requests[0].body.decode()
    with pytest.raises(Refused, match="deletes nobody"):
        ask(house, "onDelete", Tool(), dest="actions-webhook", event=event)


def test_a_hook_of_a_mapping_is_performed(house: Running) -> None:
    args = {
        "dest": "actions-klaviyo",
        "action": "upsertProfile",
        "hook": "retlOnMappingSave",
        "settings": {"api_key": "k"},
    }
    tool = Tool(answer(201, {"data": {"id": "L9", "attributes": {"name": "Loyal"}}}))
    done = ask(house, "hook", tool, hookInputs={"list_name": "Loyal"}, **args)
    assert done["savedData"]["id"] == "L9"


def test_defaults_are_as_the_definition_has_them(house: Running) -> None:
    said = ask(house, "defaults", Tool(), dest="actions-webhook", action="send")
    assert said["data"] == {"@path": "$."}


def test_a_question_that_nobody_understands_is_refused(house: Running) -> None:
    with pytest.raises(Refused, match="no method"):
        ask(house, "nothing", Tool(), dest="actions-webhook")


def test_destinations_that_connect_by_themselves_are_off(house: Running) -> None:
    ended = house.deliver(call("actions-kafka", "send", TRACK), Tool()).items
    assert (ended[0].kind, ended[0].code) == ("permanent", "INVALID_SETTINGS")
    assert "catalogue.direct" in ended[0].message
    with pytest.raises(SetupError, match=r"catalogue\.direct"):
        ask(house, "testAuth", Tool(), dest="actions-sftp")
