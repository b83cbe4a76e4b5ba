"""What destinations of the catalogue ask of their vendors, as files that a person has read.

A file of `tests/cases/catalogue` says how a destination is connected, and from `sent:` on what it sent when the events
of one visit (`_visit.yaml`) went the way that deliver takes. `python tests/scenarios/catalogue_golden.py [SLUG...]`
writes that part anew. The requests are what the worker gave out; only its clock stands still and nothing in it is
random (`_clock.cjs`), so that they repeat, and headers that say nothing of the destination are left out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import yaml

from headwater.catalogue import Workers
from headwater.deliver.attempt import Attempted
from headwater.deliver.performing import Performer
from headwater.deliver.plan import LanePlan, compile_lane
from headwater.deliver.ways import Way
from headwater.destinations import definition
from headwater.manage.subscribing import automatic, defaults
from headwater.spec.destination import Item, Request, Response
from headwater.spec.outcome import Step
from headwater.spec.settings import CatalogueSettings, DeliverSettings
from headwater.spec.workspace import Destination, Subscription
from headwater.store.secrets import Secrets

FOLDER = Path(__file__).parents[1] / "cases" / "catalogue"
SENT = "\nsent:"
VISIT = ("identify", "page", "group", "custom", "order")
_AGENT = "Segment (Actions)"
_APPS = {
    "ACTIONS_FB_CAPI_SYSTEM_USER_TOKEN": "fake-system-user-token",
    "ADWORDS_DEVELOPER_TOKEN": "fake-developer-token",
}
_PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "": lambda event: event,
    ".context": lambda event: event.get("context"),
    ".context.page": lambda event: event["context"].get("page"),
    ".properties": lambda event: event.get("properties"),
    ".properties.products": lambda event: event.get("properties", {}).get("products"),
    ".traits": lambda event: event.get("traits"),
    ".context.userAgent": lambda event: event["context"].get("userAgent"),
    ".context.page.url": lambda event: event["context"].get("page", {}).get("url"),
}
_UNTOLD = frozenset(("accept", "accept-encoding"))


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vendor says to requests that begin so, such as `GET https://api.example.com/contacts`."""

    to: str
    status: int = 200
    json: Any = {}


class Subscribed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subscription that somebody sets up by hand: what is not said is as the action suggests."""

    action: str
    trigger: str = ""
    mapping: dict[str, Any] = {}


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A request; `body` is its JSON, the fields of its form, or its text."""

    request: str
    headers: dict[str, str] = {}
    body: Any = None


class Delivered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one subscription made of one event; `ends` only if it was not delivered."""

    event: str
    by: str
    ends: str = ""
    requests: list[Sent] = []


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file. `read` is what a person found in it; without `subscriptions` the automatic presets are used.

    With `together`, what took the same way is also sent at once, as far as the subscription lets events share a call.
    `adds` is what this vendor needs in an event of the visit that nobody else does, by the event's name.
    """

    read: str
    settings: dict[str, Any] = {}
    tokens: dict[str, str] = {}
    subscriptions: list[Subscribed] = []
    events: tuple[str, ...] = VISIT
    together: bool = False
    adds: dict[str, dict[str, Any]] = {}
    answers: list[Answer] = []
    sent: list[Delivered] = []


def slugs() -> list[str]:
    """The destinations that have a file."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml") if not file.stem.startswith("_"))


@cache
def read(slug: str) -> Golden:
    """The file of a destination."""
    return msgspec.yaml.decode((FOLDER / f"{slug}.yaml").read_bytes(), type=Golden)


@cache
def visit() -> dict[str, dict[str, Any]]:
    """The events of the visit by their names in the file."""
    found = msgspec.yaml.decode((FOLDER / "_visit.yaml").read_bytes())
    common = found.pop("common")
    return {name: {**common, **own, "originalTimestamp": own["timestamp"]} for name, own in found.items()}


def item(golden: Golden, name: str) -> Item:
    """An event as deliver has it."""
    body = _merged(visit()[name], golden.adds.get(name, {}))
    return Item(msgspec.json.encode(body), body["type"], body.get("event", ""), body["messageId"], 0, 0)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(one.get(key, {}), each) if isinstance(each, dict) else each for key, each in other.items()}
    return {**one, **both}


class Vendors:
    """The only way out: answers as the vendors would, and keeps what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: Sequence[Answer] = ()

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        line = f"{request.method} {request.url}"
        answer = next((each for each in self.answers if line.startswith(each.to)), Answer(to=""))
        return Response(answer.status, {"content-type": "application/json"}, msgspec.json.encode(answer.json))


class HeldTokens:
    """Tokens that somebody authorised, which never end."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self._tokens = tokens

    async def current(self, destination: Destination) -> dict[str, str]:
        return self._tokens

    async def save(self, destination_id: str, new: dict[str, str]) -> None:
        raise AssertionError("Nobody refuses the tokens.")

    async def refuse(self, destination_id: str, detail: str) -> None:
        raise AssertionError("Nobody refuses the tokens.")

    @asynccontextmanager
    async def locked(self, destination_id: str) -> AsyncGenerator[dict[str, str]]:
        yield self._tokens


def connect(slug: str, golden: Golden, workers: Workers) -> LanePlan:
    """The destination as its lane has it."""
    declared = definition(slug)
    made: list[Subscription] = []
    if not golden.subscriptions:
        made = [
            Subscription(id=str(index), name=each.name, action=each.action, trigger=each.trigger, mapping=each.mapping)
            for index, each in enumerate(automatic(declared))
        ]
    for index, each in enumerate(golden.subscriptions):
        action = declared.find(each.action)
        assert action is not None, f"{slug} has no action {each.action}."
        mapping = defaults(action) | each.mapping
        trigger = each.trigger or action.trigger
        made.append(Subscription(id=str(index), name=action.name, action=action.slug, trigger=trigger, mapping=mapping))
    destination = Destination(
        id=slug,
        source_id="shop-web",
        definition=slug,
        name=slug,
        settings=golden.settings,
        subscriptions=tuple(made),
        tokens_version=1 if golden.tokens else 0,
    )
    tokens: Any = HeldTokens(golden.tokens) if golden.tokens else None
    writers: Any = None
    plan = compile_lane(
        destination, Secrets([b"0" * 32]), DeliverSettings(), lambda one: Performer(one, workers, writers, tokens)
    )
    assert plan is not None
    assert not plan.broken, plan.broken
    return plan


async def deliver(slug: str, golden: Golden, workers: Workers, vendors: Vendors) -> list[Delivered]:
    """Send the events of the visit down every way that they take, one after the other."""
    plan = connect(slug, golden, workers)
    assert plan.decide is not None
    vendors.answers = golden.answers
    made: list[Delivered] = []
    taken: dict[str, dict[str, Item]] = {}
    for name in golden.events:
        event = item(golden, name)
        for way in plan.decide(event, event.read()).ways:
            taken.setdefault(way.id, {})[name] = event
            made.append(await _sent(plan, way, {name: event}, vendors))
    shared = [way for way in plan.ways.values() if way.batch.items > 1 and len(taken.get(way.id, ())) > 1]
    if golden.together:
        made += [await _sent(plan, way, taken[way.id], vendors) for way in shared]
    return made


async def _sent(plan: LanePlan, way: Way, items: dict[str, Item], vendors: Vendors) -> Delivered:
    """Send items together down a way."""
    assert not way.broken, way.broken
    vendors.asked = []
    attempted = await way.run(list(items.values()), vendors)
    by = plan.destination.subscriptions[int(way.id)]
    events = {name if len(items) > 1 else "event": each.read() for name, each in items.items()}
    requests = [shown(each, events) for each in vendors.asked]
    return Delivered(" and ".join(items), f"{by.name} ({by.action})", _ending(attempted), requests)


async def deliver_all(wanted: Sequence[str]) -> dict[str, list[Delivered]]:
    """The same for many destinations, through one worker."""
    vendors = Vendors()
    environment = {"NODE_OPTIONS": f"--require={FOLDER / '_clock.cjs'}", **_APPS}
    async with Workers(CatalogueSettings(), environment=environment) as workers:
        return {slug: await deliver(slug, read(slug), workers, vendors) for slug in wanted}


def _ending(attempted: Attempted) -> str:
    verdict = attempted.verdict
    if verdict.step is Step.DELIVERED:
        return ""
    return f"{verdict.step.value} {verdict.reason}: {verdict.detail}"


def shown(request: Request, events: dict[str, dict[str, Any]]) -> Sent:
    """A request as a file has it. Parts of an event that are sent as they came are named, as in `<event.context>`."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in _UNTOLD}
    if headers.get("user-agent") == _AGENT:
        del headers["user-agent"]
    body = _body(request.body, headers.get("content-type", ""))
    return Sent(f"{request.method} {request.url}", headers, _named(body, events))


def _named(value: Any, events: dict[str, dict[str, Any]]) -> Any:
    """The value with names for the parts of the events in it, the largest first."""
    for name, read in _PARTS.items():
        for event, body in events.items():
            part = read(body)
            if part and value == part:
                return f"<{event}{name}>"
    if isinstance(value, dict):
        return {key: _named(each, events) for key, each in value.items()}
    return [_named(each, events) for each in value] if isinstance(value, list) else value


def _body(body: bytes, kind: str) -> Any:
    if not body:
        return None
    if "x-www-form-urlencoded" in kind:
        fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
        return {name: _read(value.encode()) if value.startswith("{") else value for name, value in fields}
    return _read(body)


def _read(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode()


def write(slug: str, sent: Sequence[Delivered]) -> None:
    """Write a file's `sent:` anew; what is above it stays as it is."""
    file = FOLDER / f"{slug}.yaml"
    above = file.read_text().split(SENT)[0].rstrip()
    made = yaml.dump(
        msgspec.to_builtins(list(sent)), sort_keys=False, allow_unicode=True, width=116, default_flow_style=None
    )
    file.write_text(f"{above}\n{SENT}\n{made}")


if __name__ == "__main__":
    for slug, sent in asyncio.run(deliver_all(sys.argv[1:] or slugs())).items():
        write(slug, sent)
