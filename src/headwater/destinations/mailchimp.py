"""Mailchimp: keeps the contacts of an audience, their tags and their events (Marketing API 3.0).

A contact is found by its address: the API names it by the MD5 of the address in lower case. It is written by itself, so
that somebody who unsubscribed stays so unless the subscription names a status. Only then do up to 500 contacts go out
in one request, since that one sets the status of all; its answer names those that were refused. The API key names the
data centre behind its last hyphen.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from headwater.spec.destination import (
    Action,
    Batch,
    DestinationDefinition,
    Failed,
    Field,
    Item,
    NoAnswer,
    Preset,
    Request,
    Response,
    Result,
    Steps,
)
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.wire import encode

MOST: Final = 500
_KEY: Final = re.compile(r"[A-Za-z0-9]{8,64}-([a-z]{2,4}\d{1,4})")
_LIST: Final = re.compile(r"[A-Za-z0-9]{1,40}")
_EVENT: Final = re.compile(r"[^A-Za-z0-9_]+")
_MOST_ANSWER: Final = 8_000_000
_STATUSES: Final = ("subscribed", "pending", "unsubscribed", "cleaned", "transactional")
_NEW: Final = ("subscribed", "pending", "transactional")
_PASSED_ON: Final = ("merge_fields", "interests", "language", "vip", "location", "ip_opt", "timestamp_opt")


class Refused(msgspec.Struct, frozen=True):
    """A contact that a batch names as refused, and why."""

    email_address: str = ""
    error: str = ""
    error_code: str = ""


class Written(msgspec.Struct, frozen=True):
    """What a batch answers, as far as it says which contacts were refused."""

    errors: list[Refused]


def upsert(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Write the contacts: one by itself, several in one request."""
    if len(items) == 1:
        yield from _upsert_one(settings, items[0].payload)
        return None
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(_address(item.payload), []).append(index)
    members = [_member(settings, _merged([items[index].payload for index in group])) for group in groups.values()]
    path = f"{_audience(settings, items[0].payload)}?skip_merge_validation=true"
    request = _request(settings, "POST", path, {"members": members, "update_existing": True})
    response = yield msgspec.structs.replace(request, most=_MOST_ANSWER)
    return _refusals(response, groups) if 200 <= response.status < 300 else None


def tag(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Add tags to a contact, and take others away."""
    payload = items[0].payload
    yield _tags(settings, payload)
    return None


def track(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Record that a contact did something, which can start a customer journey."""
    payload = items[0].payload
    body: dict[str, Any] = {"name": _event_name(payload.get("name"))}
    properties = cast("dict[str, Any]", payload.get("properties") or {})
    if properties:
        body["properties"] = {key: _text(value) for key, value in properties.items() if value is not None}
    if payload.get("occurred_at"):
        body["occurred_at"] = payload["occurred_at"]
    if payload.get("is_syncing") is not None:
        body["is_syncing"] = payload["is_syncing"]
    yield _request(settings, "POST", f"{_contact(settings, payload)}/events", body)
    return None


def archive(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Take a contact out of the audience, or delete it for good. Where the audience is, but not the contact, it is gone
    already.
    """
    payload = items[0].payload
    if payload.get("permanent"):
        response = yield _request(settings, "POST", f"{_contact(settings, payload)}/actions/delete-permanent")
    else:
        response = yield _request(settings, "DELETE", _contact(settings, payload))
    if response.status == 404:
        yield _request(settings, "GET", f"{_audience(settings, payload)}?fields=id")
    return None


def check(settings: dict[str, Any]) -> None:
    """The key names a data centre, and the audience is an id."""
    if not _KEY.fullmatch(str(settings.get("apiKey") or "")):
        raise SetupError("The API key must be as Mailchimp shows it, with its data centre at the end, such as -us21.")
    if not _LIST.fullmatch(str(settings.get("audienceId") or "")):
        raise SetupError("The audience's id is missing, or is not of letters and digits alone.")


def batch(settings: dict[str, Any], mapping: dict[str, Any]) -> Batch:
    """Up to 500 contacts of one audience, if the subscription names one status for all and does not forbid batches."""
    if mapping.get("enable_batching") is False or mapping.get("status") not in _STATUSES:
        return Batch()
    several = isinstance(mapping.get("audience_id"), dict)
    return Batch(items=MOST, body_bytes=2_000_000, wait=5.0, keys=("audience_id",) if several else ())


def _upsert_one(settings: dict[str, Any], payload: dict[str, Any]) -> Steps:
    member = _member(settings, payload)
    member["status_if_new"] = member.pop("status")
    if payload.get("status"):
        member["status"] = payload["status"]
    tags = member.pop("tags", None)
    path = f"{_contact(settings, payload)}?skip_merge_validation=true"
    response = yield _request(settings, "PUT", path, member)
    if tags and 200 <= response.status < 300:
        yield _tags(settings, payload)
    return None


def _member(settings: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """The contact as the API takes it. Without a status of its own it gets the one for new contacts."""
    member: dict[str, Any] = {"email_address": str(payload.get("email") or "").strip()}
    member |= {key: payload[key] for key in _PASSED_ON if payload.get(key) not in (None, {})}
    fields = cast("dict[str, Any]", member.get("merge_fields") or {})
    if fields:
        member["merge_fields"] = {key: value for key, value in fields.items() if value is not None}
    member["status"] = payload.get("status") or payload.get("status_if_new") or _first_status(settings)
    if payload.get("tags"):
        member["tags"] = payload["tags"]
    return member


def _first_status(settings: dict[str, Any]) -> str:
    return "pending" if settings.get("doubleOptIn") else "subscribed"


def _merged(payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """What several events say of one contact, in their order: what is said later wins."""
    made: dict[str, Any] = {}
    for payload in payloads:
        fields = {**cast("dict[str, Any]", made.get("merge_fields") or {}), **(payload.get("merge_fields") or {})}
        tags = list(dict.fromkeys([*(made.get("tags") or ()), *(payload.get("tags") or ())]))
        made = {**made, **payload, "merge_fields": fields, "tags": tags}
    return made


def _refusals(response: Response, groups: dict[str, list[int]]) -> Result:
    """Which items the answer names as refused. An answer that names none at all says nothing of any."""
    try:
        refused = _read_written(response.body).errors
    except msgspec.MsgspecError:
        raise NoAnswer("UNREACHABLE", "The answer does not say which contacts were refused.") from None
    failed: dict[int, Failed] = {}
    unknown = False
    for each in refused:
        indexes = groups.get(each.email_address.strip(' "').lower())
        unknown = unknown or indexes is None
        why = f"{each.error_code} {each.error}".strip() or "The contact was refused."
        failed |= dict.fromkeys(indexes or (), Failed(why[:300], status=400))
    if unknown:
        again = Failed("The answer names a refused contact that was not sent.", again=True)
        return {index: failed.get(index, again) for group in groups.values() for index in group}
    return failed or None


def _tags(settings: dict[str, Any], payload: dict[str, Any]) -> Request:
    changes = [{"name": name, "status": "active"} for name in payload.get("tags") or ()]
    changes += [{"name": name, "status": "inactive"} for name in payload.get("remove_tags") or ()]
    return _request(settings, "POST", f"{_contact(settings, payload)}/tags", {"tags": changes})


def _address(payload: dict[str, Any]) -> str:
    address = str(payload.get("email") or "").strip().lower()
    if "@" not in address:
        raise SenderError("The contact has no email address.")
    return address


def _audience(settings: dict[str, Any], payload: dict[str, Any]) -> str:
    audience = str(payload.get("audience_id") or settings["audienceId"])
    if not _LIST.fullmatch(audience):
        raise SenderError("The audience's id is not of letters and digits alone.")
    return f"lists/{audience}"


def _contact(settings: dict[str, Any], payload: dict[str, Any]) -> str:
    digest = hashlib.md5(_address(payload).encode(), usedforsecurity=False).hexdigest()
    return f"{_audience(settings, payload)}/members/{digest}"


def _event_name(name: Any) -> str:
    """A name of 2 to 30 letters, digits and underscores, as the API takes it."""
    made = _EVENT.sub("_", str(name or "")).strip("_")[:30]
    if len(made) < 2:
        raise SenderError("The event's name has fewer than two letters or digits.")
    return made


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _request(settings: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None) -> Request:
    key: str = settings["apiKey"]
    credentials = b64encode(f"headwater:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "User-Agent": "Headwater"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    url = f"https://{key.rpartition('-')[2]}.api.mailchimp.com/3.0/{path}"
    return Request(method, url, headers, encode(body) if body is not None else b"", 30.0, secrets=(credentials,))


def _first_of(*paths: str) -> Any:
    """A mapping that gives the first of these paths that an event has."""
    first, *others = paths
    found: dict[str, Any] = {"exists": {"@path": first}, "then": {"@path": first}}
    if others:
        found["else"] = _first_of(*others)
    return {"@if": found}


_EMAIL: Final = Field(
    key="email",
    label="Email",
    description="The contact's address.",
    format="email",
    required=True,
    default=_first_of("$.traits.email", "$.properties.email", "$.context.traits.email"),
)
_AUDIENCE: Final = Field(
    key="audience_id",
    label="Audience",
    description="The id of another audience than that of the settings.",
    category="advanced",
)

_UPSERT: Final = Action(
    slug="upsertContact",
    name="Upsert contact",
    description="Adds a contact to the audience, or updates it.",
    trigger='type = "identify"',
    batches=True,
    fields=(
        _EMAIL,
        Field(
            key="status",
            label="Status",
            description="Set this status also for contacts that are there; without it theirs stays as it is.",
            choices=_STATUSES,
        ),
        Field(
            key="status_if_new",
            label="Status if new",
            description="The status of a contact that is not there yet.",
            choices=_NEW,
        ),
        Field(
            key="merge_fields",
            label="Merge fields",
            description="Values of the audience's merge fields, by their tags.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
            default={
                "FNAME": _first_of("$.traits.firstName", "$.traits.first_name"),
                "LNAME": _first_of("$.traits.lastName", "$.traits.last_name"),
            },
        ),
        Field(key="tags", label="Tags", description="Tags that the contact gets.", multiple=True),
        Field(
            key="interests",
            label="Interests",
            description="Whether the contact has an interest, by the interest's id.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
        ),
        Field(key="language", label="Language", description="The contact's language, as a code like en."),
        Field(key="vip", label="VIP", description="Whether the contact is a VIP.", type="boolean"),
        Field(
            key="location",
            label="Location",
            description="Where the contact is.",
            type="object",
            properties=(
                Field(key="latitude", label="Latitude", description="In degrees.", type="number"),
                Field(key="longitude", label="Longitude", description="In degrees.", type="number"),
            ),
        ),
        Field(key="ip_opt", label="IP of the opt-in", description="From where the contact confirmed."),
        Field(key="timestamp_opt", label="Time of the opt-in", description="When it did.", type="datetime"),
        _AUDIENCE,
        Field(
            key="enable_batching",
            label="Send in batches",
            description="Send up to 500 contacts in a request; only where the mapping sets one status for all.",
            type="boolean",
            default=True,
        ),
    ),
    steps=upsert,
    batch=batch,
)

definition = DestinationDefinition(
    name="Mailchimp",
    description="Keeps the contacts of an audience, their tags and their events.",
    website="https://mailchimp.com/developer/marketing/",
    categories=("Email Marketing",),
    fields=(
        Field(
            key="apiKey",
            label="API key",
            description="A key of the account, with its data centre at the end, such as -us21.",
            type="password",
            required=True,
        ),
        Field(key="audienceId", label="Audience", description="The id of the audience.", required=True),
        Field(
            key="doubleOptIn",
            label="Double opt-in",
            description="New contacts are pending until they confirm by email, unless the mapping says otherwise.",
            type="boolean",
            default=False,
        ),
    ),
    actions=(
        _UPSERT,
        Action(
            slug="updateTags",
            name="Update tags",
            description="Adds tags to a contact, and takes others away.",
            trigger='type = "track"',
            fields=(
                _EMAIL,
                Field(key="tags", label="Tags to add", description="Tags that the contact gets.", multiple=True),
                Field(
                    key="remove_tags",
                    label="Tags to take away",
                    description="Tags that the contact loses.",
                    multiple=True,
                ),
                _AUDIENCE,
            ),
            steps=tag,
        ),
        Action(
            slug="trackEvent",
            name="Track event",
            description="Records that a contact did something, which can start a customer journey.",
            trigger='type = "track"',
            fields=(
                _EMAIL,
                Field(
                    key="name",
                    label="Event",
                    description="The event's name; what the API does not take in it becomes an underscore.",
                    required=True,
                    default={"@path": "$.event"},
                ),
                Field(
                    key="properties",
                    label="Properties",
                    description="What else there is to say; values are sent as text.",
                    type="object",
                    object_ui="keyvalue",
                    additional_properties=True,
                    default={"@path": "$.properties"},
                ),
                Field(
                    key="occurred_at",
                    label="Time",
                    description="When it happened.",
                    type="datetime",
                    default={"@path": "$.timestamp"},
                ),
                Field(
                    key="is_syncing",
                    label="Do not start journeys",
                    description="The event is history, and starts nothing.",
                    type="boolean",
                ),
                _AUDIENCE,
            ),
            steps=track,
        ),
        Action(
            slug="archiveContact",
            name="Archive contact",
            description="Takes a contact out of the audience, or deletes it for good.",
            trigger='type = "track" and event = "User Deleted"',
            fields=(
                _EMAIL,
                Field(
                    key="permanent",
                    label="For good",
                    description="Delete all that is known of the contact, who can then not be added again by the API.",
                    type="boolean",
                    default=False,
                ),
                _AUDIENCE,
            ),
            steps=archive,
        ),
    ),
    presets=(
        Preset(
            name="Contacts of identify calls",
            action="upsertContact",
            trigger='type = "identify" and traits.email != null',
            mapping={field.key: field.default for field in _UPSERT.fields if field.default is not None},
        ),
    ),
    event_types=EVENT_TYPES,
    check=check,
    concurrency=8,
    credentials=True,
    authentication="custom",
)


_read_written = msgspec.json.Decoder(Written).decode
