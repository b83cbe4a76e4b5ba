"""Totango: records what users of an account do, and attributes of users and accounts (HTTP API).

Every call is a form to one address, whose answer is a picture: it says that the call arrived, and not that the service
could use it. What cannot be used is therefore refused here, before it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import urlencode

from headwater.spec.destination import Action, DestinationDefinition, Field, Item, Preset, Request, Steps
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.event import EVENT_TYPES

_PLACES: Final = {"us": "https://sdr.totango.com/pixel.gif/", "eu": "https://sdr-eu1.totango.com/pixel.gif/"}
_SERVICE: Final = re.compile(r"SP-[A-Za-z0-9]{1,20}-[A-Za-z0-9]{1,10}")
_LONGEST: Final = 4_000


def track(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Record that a user of an account did something in a module."""
    payload = items[0].payload
    form = _start(settings, payload)
    form["sdr_u"] = _needed(payload, "user_id")
    form["sdr_a"] = _needed(payload, "activity")
    form["sdr_m"] = _needed(payload, "module")
    form |= _attributes("sdr_o", payload.get("account_attributes")) | _attributes("sdr_u", payload.get("attributes"))
    yield _request(settings, form)
    return None


def update_user(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Set attributes of a user of an account."""
    payload = items[0].payload
    form = _start(settings, payload)
    form["sdr_u"] = _needed(payload, "user_id")
    form |= _attributes("sdr_u", payload.get("attributes"))
    yield _request(settings, form)
    return None


def update_account(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """Set attributes of an account."""
    payload = items[0].payload
    yield _request(settings, _start(settings, payload) | _attributes("sdr_o", payload.get("attributes")))
    return None


def check(settings: dict[str, Any]) -> None:
    """The service is named, and where it is."""
    if not _SERVICE.fullmatch(str(settings.get("serviceId") or "")):
        raise SetupError("The service id must look like SP-1234-01.")
    if settings.get("region") not in (None, "", *_PLACES):
        raise SetupError(f"The region must be one of {', '.join(_PLACES)}.")
    if not str(settings.get("token") or "").isprintable():
        raise SetupError("The token must be text on one line.")


def _start(settings: dict[str, Any], payload: dict[str, Any]) -> dict[str, str]:
    form = {"sdr_s": settings["serviceId"], "sdr_o": _needed(payload, "account_id")}
    if payload.get("account_name"):
        form["sdr_o.account_name"] = str(payload["account_name"])
    return form


def _needed(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    if value in (None, ""):
        raise SenderError(f"The event lacks what the call needs: {key}.")
    return str(value)


def _attributes(prefix: str, attributes: Any) -> dict[str, str]:
    """Attributes as the form has them. A list becomes text with commas; an object has no place and is left out."""
    found: dict[str, str] = {}
    for name, value in cast("dict[str, Any]", attributes or {}).items():
        parts = [_text(each) for each in cast("list[Any]", value if isinstance(value, list) else [value])]
        text = ",".join(part for part in parts if part is not None)
        if name and text:
            found[f"{prefix}.{name}"] = text[:_LONGEST]
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _request(settings: dict[str, Any], form: dict[str, str]) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Headwater"}
    token: str = settings.get("token") or ""
    if token:
        headers["Authorization"] = f"app-token {token}"
    body = urlencode(form, errors="replace").encode()
    return Request("POST", _PLACES[settings.get("region") or "us"], headers, body)


def _first_of(*paths: str) -> Any:
    """A mapping that gives the first of these paths that an event has."""
    first, *others = paths
    found: dict[str, Any] = {"exists": {"@path": first}, "then": {"@path": first}}
    if others:
        found["else"] = _first_of(*others)
    return {"@if": found}


def _mapping(action: Action) -> dict[str, Any]:
    return {field.key: field.default for field in action.fields if field.default is not None}


_ACCOUNT: Final = Field(
    key="account_id",
    label="Account",
    description="The id of the account that the user belongs to.",
    required=True,
    default=_first_of("$.context.groupId", "$.groupId", "$.properties.accountId", "$.traits.accountId"),
)
_USER: Final = Field(
    key="user_id",
    label="User",
    description="The user's id in Totango, which is often an address.",
    required=True,
    default={"@path": "$.userId"},
)

_TRACK: Final = Action(
    slug="trackActivity",
    name="Track activity",
    description="Records that a user of an account did something.",
    trigger='type = "track" or type = "page" or type = "screen"',
    fields=(
        _ACCOUNT,
        Field(
            key="account_name",
            label="Account's name",
            description="What the account is called, for people to read.",
        ),
        _USER,
        Field(
            key="activity",
            label="Activity",
            description="What the user did.",
            required=True,
            default=_first_of("$.event", "$.name", "$.properties.title"),
        ),
        Field(
            key="module",
            label="Module",
            description="Where in the product it was done.",
            required=True,
            default={
                "@if": {
                    "exists": {"@path": "$.properties.module"},
                    "then": {"@path": "$.properties.module"},
                    "else": "Application",
                }
            },
        ),
        Field(
            key="attributes",
            label="User's attributes",
            description="Attributes of the user to set with it.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
        ),
        Field(
            key="account_attributes",
            label="Account's attributes",
            description="Attributes of the account to set with it.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
        ),
    ),
    steps=track,
)
_UPDATE_USER: Final = Action(
    slug="updateUser",
    name="Update user",
    description="Sets attributes of a user of an account.",
    trigger='type = "identify"',
    fields=(
        _ACCOUNT,
        _USER,
        Field(
            key="attributes",
            label="Attributes",
            description="The user's attributes; objects are left out.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
            default={"@path": "$.traits"},
        ),
    ),
    steps=update_user,
)
_UPDATE_ACCOUNT: Final = Action(
    slug="updateAccount",
    name="Update account",
    description="Sets attributes of an account.",
    trigger='type = "group"',
    fields=(
        Field(
            key="account_id",
            label="Account",
            description="The account's id.",
            required=True,
            default={"@path": "$.groupId"},
        ),
        Field(
            key="account_name",
            label="Account's name",
            description="What the account is called, for people to read.",
            default={"@path": "$.traits.name"},
        ),
        Field(
            key="attributes",
            label="Attributes",
            description="The account's attributes; objects are left out.",
            type="object",
            object_ui="keyvalue",
            additional_properties=True,
            default={"@path": "$.traits"},
        ),
    ),
    steps=update_account,
)

definition = DestinationDefinition(
    name="Totango",
    description="Records what users of an account do, and attributes of users and accounts.",
    website="https://www.totango.com/",
    categories=("Customer Success",),
    fields=(
        Field(
            key="serviceId",
            label="Service id",
            description="The id of the service, such as SP-1234-01.",
            required=True,
        ),
        Field(
            key="token",
            label="Token",
            description="A token for the service's calls, where it asks for one.",
            type="password",
        ),
        Field(
            key="region",
            label="Region",
            description="Where the service is.",
            type="select",
            default="us",
            choices=tuple(_PLACES),
            choice_labels=("United States", "European Union"),
        ),
    ),
    actions=(_TRACK, _UPDATE_USER, _UPDATE_ACCOUNT),
    presets=(
        Preset(
            name="Activities of users with an account",
            action="trackActivity",
            trigger='type = "track" and userId != null and context.groupId != null',
            mapping=_mapping(_TRACK),
        ),
        Preset(
            name="Users with an account",
            action="updateUser",
            trigger='type = "identify" and userId != null and context.groupId != null',
            mapping=_mapping(_UPDATE_USER),
        ),
        Preset(name="Accounts", action="updateAccount", trigger='type = "group"', mapping=_mapping(_UPDATE_ACCOUNT)),
    ),
    event_types=EVENT_TYPES,
    check=check,
    credentials=True,
    authentication="custom",
)
