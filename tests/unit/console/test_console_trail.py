"""The trail of an event, as people read it."""

from typing import Any

from headwater.console.parts.events.deliveries import delivery_html
from headwater.console.parts.events.steps import settled, trail_html, words
from headwater.manage.operations.parked import ParkedShape
from headwater.manage.operations.trace import (
    AttemptShape,
    DestinationTrace,
    OutcomeShape,
    ProcessedShape,
    ReceivedShape,
    TraceEventAnswer,
)

NASTY = "<img src=x onerror=alert(1)>"
NOON = 1_767_268_800_000
RECEIVED = ReceivedShape(partition=0, position=4, received_at="2026-01-01T12:00:00.000Z", source_id="s1", kind="batch")
PROCESSED = ProcessedShape(
    partition=0,
    position=9,
    received_at="2026-01-01T12:00:00.000Z",
    source_id="s1",
    destinations=["d1"],
    without_warehouses=[],
    event={
        "type": "track",
        "sentAt": "2026-01-01T11:59:58.000Z",
        "receivedAt": "2026-01-01T12:00:00.000Z",
        "originalTimestamp": "2026-01-01T11:58:58.000Z",
        "context": {"location": {"country": "DE"}, "campaign": {"name": NASTY}},
    },
)
ATTEMPT = AttemptShape(
    at="2026-01-01T12:00:01.000Z",
    took=24,
    attempt=1,
    step="failed_delivery",
    reason="BAD_REQUEST",
    meaning="The destination refused the request as malformed (400).",
    status=400,
    detail=NASTY,
    request=f"POST {NASTY}",
    response=NASTY,
    events=3,
)


def parked(**changes: Any) -> ParkedShape:
    facts: dict[str, Any] = {
        "id": "d1.0.9",
        "destination_id": "d1",
        "subscription_id": "",
        "replay_id": "",
        "source_id": "s1",
        "message_id": "m1",
        "type": "track",
        "name": "Paid",
        "partition": 0,
        "position": 9,
        "state": "waiting",
        "reason": "RETRY",
        "meaning": "",
        "detail": "",
        "attempts": 2,
        "notes": [],
        "received_at": "2026-01-01T12:00:00.000Z",
        "parked_at": "2026-01-01T12:00:00.000Z",
        "due_at": "2026-01-01T12:00:20.000Z",
        "expires_at": "2026-01-01T16:00:00.000Z",
        "ended_at": None,
        "event": None,
    }
    return ParkedShape(**(facts | changes))


def destination(state: str, *rows: ParkedShape, attempts: tuple[AttemptShape, ...] = ()) -> DestinationTrace:
    return DestinationTrace(
        destination_id="d1",
        name=NASTY,
        definition="webhook",
        state=state,
        reason="",
        meaning="",
        attempts=list(attempts),
        parked=list(rows),
    )


def answer(**parts: Any) -> TraceEventAnswer:
    known: dict[str, Any] = {"received": RECEIVED, "processed": PROCESSED, "outcomes": [], "destinations": []}
    return TraceEventAnswer(message_id="m1", **(known | parts))


def refusal(reason: str) -> OutcomeShape:
    return OutcomeShape(
        room="pipeline",
        at="2026-01-01T12:00:00.000Z",
        step="failed_on_ingest",
        reason=reason,
        meaning="A track call has no event.",
        detail=NASTY,
        destination_id="",
        payload={"type": "track", NASTY: NASTY},
    )


def test_a_trail_tells_how_the_clocks_differ_and_how_long_the_event_waited_at_its_sender() -> None:
    shown = trail_html(answer(), {"s1": "Shop"}, "UTC")
    assert "2.0 s after it was sent, by the sender&#x27;s clock. It had happened 1 min before it was sent." in shown
    assert "Shop" in shown
    assert "country: DE" in shown


def test_nothing_of_a_trail_is_read_as_html() -> None:
    shown = trail_html(answer(outcomes=[refusal("event_not_defined")]), {"s1": NASTY}, "UTC")
    shown += delivery_html(
        destination("failed_delivery", parked(state="failed", detail=NASTY), attempts=(ATTEMPT,)),
        NOON,
        "UTC",
        may_retry=True,
    )
    assert "<img" not in shown


def test_a_refused_event_shows_what_came_and_what_to_do() -> None:
    shown = trail_html(answer(processed=None, outcomes=[refusal("unknown_source")]), {}, "UTC")
    assert "Failed on ingest" in shown
    assert "Payload as it was received" in shown
    assert "Add a source with this write key" in shown


def test_what_waits_says_when_it_is_tried_again() -> None:
    shown = delivery_html(destination("pending", parked()), NOON, "UTC", may_retry=True)
    assert "it is tried again in 20 s" in shown
    assert "data-retry" not in shown


def test_only_what_was_given_up_can_be_sent_again_and_only_by_who_may() -> None:
    given_up = destination("failed_delivery", parked(state="failed"))
    assert 'data-retry="d1.0.9"' in delivery_html(given_up, NOON, "UTC", may_retry=True)
    assert "data-retry" not in delivery_html(given_up, NOON, "UTC", may_retry=False)


def test_an_attempt_shows_what_was_asked_and_answered_and_with_how_many_others() -> None:
    shown = delivery_html(destination("failed_delivery", attempts=(ATTEMPT,)), NOON, "UTC", may_retry=True)
    assert "status 400" in shown
    assert "24 ms" in shown
    assert "with 2 others in one batch" in shown
    assert "Request" in shown
    assert "Response" in shown


def test_a_trail_is_settled_when_no_destination_can_change_any_more() -> None:
    assert settled(answer(destinations=[destination("delivered"), destination("failed_delivery")]))
    assert not settled(answer(destinations=[destination("delivered"), destination("pending")]))
    assert not settled(answer(destinations=[destination("unknown")]))
    assert settled(answer(processed=None, outcomes=[refusal("event_not_defined")]))
    assert not settled(answer(processed=None))


def test_a_step_is_written_in_words() -> None:
    assert words("failed_on_ingest") == "Failed on ingest"
