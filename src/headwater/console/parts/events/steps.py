"""What became of an event, step by step, as HTML: how it came in, and what the pipeline said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headwater.console.parts.events.calls import as_object
from headwater.console.parts.figures import duration, moment_html
from headwater.console.parts.pieces import Html, Tone, chip, link, pretty, safe
from headwater.manage.operations.trace import OutcomeShape, ProcessedShape, ReceivedShape, TraceEventAnswer
from headwater.spec.outcome import Step
from headwater.spec.timestamps import parse_moment
from headwater.spec.wire import JSON

TONES: Final[dict[str, Tone]] = {
    Step.PROCESSED: "good",
    Step.DELIVERED: "good",
    Step.PENDING: "warn",
    Step.DUPLICATE: "warn",
    Step.FILTERED_AT_SOURCE: "",
    Step.FILTERED_AT_DESTINATION: "",
    Step.FAILED_ON_INGEST: "bad",
    Step.FAILED_DELIVERY: "bad",
}
_TODO: Final = {
    "unknown_source": "Add a source with this write key, or give the client the key of one that is there.",
    "source_disabled": "Enable the source under its settings.",
    "message_too_large": "Send less in one event: 32 KB is the most.",
    "internal": "The error is in the log of the house; the payload below can be sent again.",
    "duplicate": "Nothing: the first event with this messageId was published.",
}
_CORRECT: Final = "Correct what sends it. It was not published; the payload below can be sent again once it is right."
_FACTS: Final = ("campaign", "referrer", "location", "browser", "os", "device")


def step_html(title: str, tone: Tone, at: str, body: str) -> str:
    """One step of the way, with a mark in the colour of how it went."""
    when = f'<span class="soft number">{at}</span>' if at else ""
    kind = f"step tone-{tone}" if tone else "step"
    return f'<li class="{kind}"><div class="row-line"><b>{safe(title)}</b>{when}</div>{body}</li>'


def received_html(received: ReceivedShape | None, event: JSON, sources: Mapping[str, str], zone: str) -> str:
    """When, how and from which source the event came in."""
    if received is None:
        return step_html("Received", "", "", '<p class="soft">The request itself is no longer in the log.</p>')
    how = "in a batch" if received.kind == "batch" else f"as a single call ({received.kind or 'import'})"
    source = link(sources.get(received.source_id, received.source_id), f"/sources/{received.source_id}")
    from_whom = f"from {source}" if received.source_id else "with a write key that no source has"
    place = f'<span class="soft">at {received.partition}:{received.position} of the log</span>'
    return step_html(
        "Received",
        "good",
        moment_html(received.received_at, zone),
        f"<p>{safe(how).capitalize()}, {from_whom} {place}</p>{_clock(as_object(event))}",
    )


def _clock(event: Mapping[str, JSON]) -> str:
    """How the sender's clock and ours differ, and how long the event waited at the sender."""
    sent, received, happened = (_moment(event.get(name)) for name in ("sentAt", "receivedAt", "originalTimestamp"))
    said: list[str] = []
    if sent is not None and received is not None and sent != received:
        word = "after it was sent" if received > sent else "before it was sent"
        said.append(f"{duration(abs(received - sent))} {word}, by the sender's clock.")
    if sent is not None and happened is not None and sent - happened >= 1_000:
        said.append(f"It had happened {duration(sent - happened)} before it was sent.")
    return f'<p class="soft">{safe(" ".join(said))}</p>' if said else ""


def _moment(value: JSON) -> int | None:
    return parse_moment(value) if isinstance(value, str) else None


def pipeline_html(answer: TraceEventAnswer, zone: str) -> str:
    """What the pipeline said: verdicts that were not success, and the event as it was published."""
    said = [_verdict(one, zone) for one in answer.outcomes if not one.destination_id]
    if answer.processed is not None:
        said.append(_published(answer.processed, zone))
    if not said:
        return step_html(
            "Pipeline", "warn", "", '<p class="soft">Nothing is known yet; it may still be on its way.</p>'
        )
    return "".join(said)


def _verdict(one: OutcomeShape, zone: str) -> str:
    tone = TONES.get(one.step, "")
    detail = f'<p class="soft">{safe(one.detail)}</p>' if one.detail else ""
    todo = _TODO.get(one.reason, _CORRECT if one.step == Step.FAILED_ON_INGEST else "")
    payload = f"<details open><summary>Payload as it was received</summary>{pretty(one.payload)}</details>"
    return step_html(
        words(one.step),
        tone,
        moment_html(one.at, zone),
        f"<p>{chip(one.reason, tone)} {safe(one.meaning)}</p>{detail}"
        f"{f'<p><b>What to do:</b> {safe(todo)}</p>' if todo else ''}"
        f"{payload if one.payload is not None else ''}",
    )


def _published(processed: ProcessedShape, zone: str) -> str:
    number = len(processed.destinations)
    where = "for no destination" if number == 0 else f"for {number} destination{'' if number == 1 else 's'}"
    place = f'<span class="soft">at {processed.partition}:{processed.position} of the log</span>'
    facts = "".join(
        f"<dt>context.{name}</dt><dd>{safe(', '.join(f'{key}: {value}' for key, value in found))}</dd>"
        for name, found in _context(as_object(as_object(processed.event).get("context")))
    )
    known = f'<dl class="facts">{facts}</dl>' if facts else ""
    shown = f"<details><summary>The event as it was published</summary>{pretty(processed.event)}</details>"
    return step_html("Published", "good", "", f"<p>Valid, {where} {place}</p>{known}{shown}")


def _context(context: Mapping[str, JSON]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What enrichments fill in where the sender did not: campaign, referrer, place and device."""
    for name in _FACTS:
        found = [(key, str(value)) for key, value in as_object(context.get(name)).items() if value not in (None, "")]
        if found:
            yield name, found


def words(step: str) -> str:
    """A step as people read it: `failed_on_ingest` is `Failed on ingest`."""
    return step.replace("_", " ").capitalize()


def settled(answer: TraceEventAnswer) -> bool:
    """Has everything ended that could still change?"""
    if answer.processed is None:
        return any(not one.destination_id for one in answer.outcomes)
    return all(one.state not in (Step.PENDING, "unknown") for one in answer.destinations)


def trail_html(answer: TraceEventAnswer, sources: Mapping[str, str], zone: str) -> Html:
    """The first steps of the way."""
    event = answer.processed.event if answer.processed is not None else None
    return Html(received_html(answer.received, event, sources, zone) + pipeline_html(answer, zone))
