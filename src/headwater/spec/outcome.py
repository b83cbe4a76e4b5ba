"""What can become of an event: one closed list of steps and reasons, and how the house records them.

The steps are those of Segment's Delivery Overview (contract: connections 8.3), the reasons its codes (1.7, 8.4) plus a
few of our own. For every source, and for every destination, the books must balance:

    received = failed_on_ingest + duplicate + filtered_at_source + processed
    matched  = filtered_at_destination + delivered + failed_delivery + pending

where `matched` counts the events that reached the destination's decision at all.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from headwater.spec.ages import Ages


class Step(StrEnum):
    """Where an event stands or ended. The first five are of the source, the last five of one destination."""

    RECEIVED = "received"
    FAILED_ON_INGEST = "failed_on_ingest"
    DUPLICATE = "duplicate"
    FILTERED_AT_SOURCE = "filtered_at_source"
    PROCESSED = "processed"
    MATCHED = "matched"
    FILTERED_AT_DESTINATION = "filtered_at_destination"
    DELIVERED = "delivered"
    FAILED_DELIVERY = "failed_delivery"
    PENDING = "pending"


REASONS: dict[Step, dict[str, str]] = {
    Step.FAILED_ON_INGEST: {
        "no_user_anon_id": "The event has neither userId nor anonymousId.",
        "id_required": "The call needs an id that is missing: groupId on group, previousId or userId on alias.",
        "id_not_string": "userId, anonymousId, groupId or previousId is empty or not a string.",
        "event_not_defined": "A track call has no event.",
        "event_not_string": "The event of a track call is not a string.",
        "properties_not_object": "properties is not an object.",
        "traits_not_object": "traits is not an object.",
        "context_not_object": "context is not an object.",
        "name_not_string": "The name of a page or screen is empty or not a string.",
        "category_not_string": "The category of a page or screen is not a string.",
        "device_advertisingid_should_be_string": "context.device.advertisingId is not a string.",
        "consent_categorypreferences_should_exist": "A consent event lacks context.consent.categoryPreferences.",
        "consent_categorypreferences_fields_should_be_object": "context.consent.categoryPreferences is not an object.",
        "consent_categorypreferences_fields_should_be_bool": "A consent category is neither true nor false.",
        "consent_version_should_be_number": "context.consent.version is not a number.",
        "empty_batch": "The batch has no items.",
        "empty_batch_result": "No item of the batch could be used.",
        "multi_user_error": "At least one item of the batch failed; the others were published.",
        "bad_request": "The body or the item cannot be read: not JSON, not an object, or nested too deep.",
        "type_not_supported": "The item's type is none of identify, track, page, screen, group and alias.",
        "message_too_large": "The message is larger than 32 KB.",
        "message_id_too_long": "The messageId is longer than 100 characters.",
        "batch_too_long": "The batch has more than 2,500 items.",
        "unknown_source": "No source has this write key.",
        "source_disabled": "The source is switched off.",
        "locked_workspace": "The workspace is locked.",
        "internal": "Headwater could not process the event; the payload is kept and the error is in the log.",
    },
    Step.DUPLICATE: {"duplicate": "The messageId was seen within the deduplication window."},
    Step.FILTERED_AT_SOURCE: {
        "dropped_by_function": "A source function or insert function dropped the event.",
        "suppressed": "The user is suppressed.",
    },
    Step.MATCHED: {"REPLAY": "A replay sent the event again; without this reason it came from its source."},
    Step.FILTERED_AT_DESTINATION: {
        "FILTERED_BY_INTEGRATIONS_OBJECT": "The event's integrations object excludes this destination.",
        "FILTERED_BY_END_USER_CONSENT": (
            "Not given yet: consent categories are kept on the event (context.consent), but hold nothing back."
        ),
        "FILTERED_BY_RULES": "A destination filter dropped the event.",
        "MESSAGE_SENT_CLIENT_SIDE": "The event was already sent by the browser.",
        "UNSUPPORTED_EVENT_TYPE": "The destination does not take events of this type.",
        "NO_MATCHING_MAPPING": "No enabled subscription of the destination matches.",
        "FILTERED_AT_MAPPING": "Segment's word; here a mapping that lacks a required field fails (`MESSAGE_REJECTED`).",
        "UNKNOWN_INTEGRATION": "The destination no longer exists or is switched off.",
    },
    Step.FAILED_DELIVERY: {
        "BAD_REQUEST": "The destination refused the request as malformed (400).",
        "UNAUTHORIZED": "The destination refused the credentials (401 or 403); check its settings.",
        "NOT_FOUND": "The destination's address answers 404.",
        "REJECTED": "The destination refused the request with a final status.",
        "INVALID_SETTINGS": "A setting of the destination is missing or wrong.",
        "MESSAGE_REJECTED": "The event lacks what the destination requires.",
        "PRIVATE_ADDRESS": "The address is private and not on the list of allowed addresses.",
        "UNKNOWN_INTEGRATION": "The destination was removed or switched off while the delivery waited.",
        "EXPIRED": "Retries were used up within the destination's horizon; the last error is kept.",
        "INTERNAL": "Headwater could not make the request; the error is kept.",
        "REPLAY_CANCELLED": "The replay that sent the event again was cancelled before its turn came.",
    },
    Step.PENDING: {
        "RETRY": "The destination answered that it may succeed later (408, 423, 429, 5xx).",
        "UNREACHABLE": "The destination could not be reached, or broke off its answer.",
        "TIMEOUT": "The destination did not answer in time.",
        "OVERFLOW": "The destination is slower than its events arrive; this one waits its turn.",
        "CIRCUIT_OPEN": "The destination failed repeatedly and is being left alone for a moment.",
        "PAUSED": "The destination is paused until its owner resumes it.",
        "REPLAY": "A replay sent the event again; it waits its turn.",
    },
}
"""The closed list: for each step that is not success, its reasons and what each means; a replay is marked where it
matched. Docs are generated from it.
"""


class Count(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many events of a source (and destination, `""` for none) met a step and reason in a minute.

    `minute` is the number of minutes since 1970 of the outcome's instant. At a destination with subscriptions an event
    counts once for each that it matched, under `subscription_id`, or once under none when it was filtered.
    """

    source_id: str
    destination_id: str
    minute: int
    step: str
    reason: str
    events: int
    subscription_id: str = ""


class SetAside(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An event that did not succeed, kept with its payload so that it can be looked at and sent again.

    `position` is where its request (pipeline) or the event (deliver) stands in the log; `payload` is at most 32 KB of
    what was received.
    """

    position: int
    step: str
    reason: str
    source_id: str = ""
    message_id: str = ""
    destination_id: str = ""
    detail: str = ""
    payload: bytes = b""


class AttemptNote(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One try of a delivery: which events, when, how long, what was asked and answered.

    `positions` are places in `processed`. `at` is in milliseconds since 1970, `took` in milliseconds. Samples are cut
    to 4 KB, with secrets redacted.
    """

    destination_id: str
    positions: list[int]
    at: int
    took: int
    step: str
    reason: str = ""
    status: int = 0
    detail: str = ""
    request: str = ""
    response: str = ""
    attempt: int = 1
    subscription_id: str = ""


class Named(msgspec.Struct, array_like=True, frozen=True):
    """How many events of a source, type and name a chunk published.

    `position` is where one of them should stand in `processed`; who reads there makes sure. The name is that of a track
    call, page or screen, cut to 200 characters, and may be empty. `overflow` is set for names of a chunk that had too
    many: they are counted together, under an empty name.
    """

    source_id: str
    type: str
    name: str
    events: int
    position: int
    overflow: bool = False


class OutcomeBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of `outcomes`: what a role did with one chunk of the log.

    `room` is `pipeline` or `deliver`; `first` and `last` are positions of the chunk in the stream that the room reads.
    `ages` are of what deliver delivered at the first attempt, `names` of what the pipeline published.
    """

    room: str
    partition: int
    first: int
    last: int
    at: int
    counts: list[Count]
    set_aside: list[SetAside] = []
    attempts: list[AttemptNote] = []
    ages: list[Ages] = []
    names: list[Named] = []


encode_outcomes = msgspec.msgpack.Encoder().encode
decode_outcomes = msgspec.msgpack.Decoder(OutcomeBatch).decode
