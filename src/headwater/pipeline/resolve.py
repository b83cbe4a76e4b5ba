"""Who an event is about. The identity graph takes this place; until then the sender's own id is the answer."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.spec.event import Event


def resolve(events: Sequence[Event]) -> None:
    """Set each event's profile id, a batch at a time. Empty means that no profile is known."""
    for event in events:
        event.profile_id = ""


def partition_key(event: Event) -> bytes:
    """The key of the event's record in `processed`: its profile, else the user, else the anonymous user."""
    who = event.profile_id or event.body.get("userId") or event.body.get("anonymousId") or ""
    return str(who).encode("utf-8", "replace")
