"""The validation matrix: why a message cannot be an event (contract: connections 1.7, and 1.6 for required fields)."""

from __future__ import annotations

from typing import Any, cast

from headwater.spec.event import EVENT_TYPES
from headwater.spec.limits import MAX_MESSAGE_ID_CHARS

CONSENT_EVENT = "Segment Consent Preference Updated"


def validate(body: dict[str, Any]) -> str:
    """The reason from spec.outcome for which the message fails, or an empty string. Null counts as absent."""
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in EVENT_TYPES:
        return "type_not_supported"
    user_id, anonymous_id = body.get("userId"), body.get("anonymousId")
    if user_id is None and anonymous_id is None:
        return "no_user_anon_id"
    for value in (user_id, anonymous_id, body.get("groupId"), body.get("previousId")):
        if value is not None and not (value and isinstance(value, str)):
            return "id_not_string"
    message_id = body.get("messageId")
    if isinstance(message_id, str | int) and len(str(message_id)) > MAX_MESSAGE_ID_CHARS:
        return "message_id_too_long"
    return _call(kind, body) or _objects(body) or _context(body)


def _call(kind: Any, body: dict[str, Any]) -> str:
    if kind == "track":
        name = body.get("event")
        if name is None or name == "":
            return "event_not_defined"
        return "" if isinstance(name, str) else "event_not_string"
    if kind in ("page", "screen"):
        name, category = body.get("name"), body.get("category")
        if name is not None and not (name and isinstance(name, str)):
            return "name_not_string"
        # Kotlin's client says "" for every screen without a category; refusing it would lose them all.
        if category is not None and not isinstance(category, str):
            return "category_not_string"
    elif kind == "group":
        return "id_required" if body.get("groupId") is None else ""
    elif kind == "alias":
        return "id_required" if body.get("userId") is None or body.get("previousId") is None else ""
    return ""


def _objects(body: dict[str, Any]) -> str:
    for field in ("properties", "traits", "context"):
        value = body.get(field)
        if value is not None and not isinstance(value, dict):
            return f"{field}_not_object"
    return ""


def _context(body: dict[str, Any]) -> str:
    context = cast("dict[str, Any]", body.get("context") or {})
    device = context.get("device")
    if isinstance(device, dict):
        advertising_id = cast("dict[str, Any]", device).get("advertisingId")
        if advertising_id is not None and not isinstance(advertising_id, str):
            return "device_advertisingid_should_be_string"
    return _consent(context) if body.get("event") == CONSENT_EVENT and body["type"] == "track" else ""


def _consent(context: dict[str, Any]) -> str:
    consent = context.get("consent")
    wishes: Any = cast("dict[str, Any]", consent).get("categoryPreferences") if isinstance(consent, dict) else None
    if wishes is None:
        return "consent_categorypreferences_should_exist"
    if not isinstance(wishes, dict):
        return "consent_categorypreferences_fields_should_be_object"
    if not all(isinstance(wish, bool) for wish in cast("dict[str, Any]", wishes).values()):
        return "consent_categorypreferences_fields_should_be_bool"
    version = cast("dict[str, Any]", consent).get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int | float)):
        return "consent_version_should_be_number"
    return ""
