"""What became of an event at each destination, as HTML. Pure; the moment of now is given."""

from __future__ import annotations

from headwater.console.parts.events.steps import TONES, step_html, words
from headwater.console.parts.figures import count, duration, moment_html, span
from headwater.console.parts.pieces import Html, chip, link, safe
from headwater.manage.operations.parked import ParkedShape
from headwater.manage.operations.trace import AttemptShape, DestinationTrace
from headwater.spec.outcome import Step
from headwater.spec.timestamps import parse_moment

_UNKNOWN = '<p class="soft">It may be on its way, or its attempts were not kept.</p>'


def delivery_html(one: DestinationTrace, now: int, zone: str, *, may_retry: bool) -> Html:
    """One destination: its state, what waits there, and every attempt."""
    state = words(one.state) if one.state != "unknown" else "Nothing known yet"
    name = link(one.name, f"/destinations/{one.destination_id}") if one.name else safe(one.destination_id)
    why = f"<p>{chip(one.reason, TONES.get(one.state, ''))} {safe(one.meaning)}</p>" if one.reason else ""
    unknown = (
        '<p class="soft">It may be on its way, or its attempts were not kept.</p>' if one.state == "unknown" else ""
    )
    parked = "".join(_parked(row, now, zone, may_retry=may_retry) for row in one.parked)
    attempts = "".join(_attempt(attempt, zone) for attempt in one.attempts)
    tried = f'<ol class="attempts">{attempts}</ol>' if attempts else ""
    head = f'<p class="row-line">{chip(state, TONES.get(one.state, ""))}<b>{name}</b> {chip(one.definition)}</p>'
    return Html(step_html("Destination", TONES.get(one.state, ""), "", f"{head}{why}{unknown}{parked}{tried}"))


def _parked(row: ParkedShape, now: int, zone: str, *, may_retry: bool) -> str:
    if row.state == "waiting":
        return (
            f'<p class="soft">It waits: {_due(row, now)} ({moment_html(row.due_at, zone)}), '
            f"and is given up at {moment_html(row.expires_at, zone)}.</p>"
        )
    if row.state != "failed":
        return ""
    ended = f" at {moment_html(row.ended_at, zone)}" if row.ended_at else ""
    button = f'<button type="button" class="act" data-retry="{safe(row.id)}">Send again</button>' if may_retry else ""
    detail = f" {safe(row.detail)}" if row.detail and not row.attempts else ""
    return f'<p class="soft">Given up{ended} after {_tries(row.attempts)}.{detail}</p>{button}'


def _due(row: ParkedShape, now: int) -> str:
    due = parse_moment(row.due_at)
    if due is None or due <= now:
        return "it is due"
    return f"it is tried again in {span((due - now) / 1000)}"


def _tries(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{count(attempts)} attempts"


def _attempt(one: AttemptShape, zone: str) -> str:
    tone = TONES.get(one.step, "")
    status = f"status {one.status}" if one.status else one.reason or "no answer"
    shared = f' <span class="soft">with {count(one.events - 1)} others in one batch</span>' if one.events > 1 else ""
    at = moment_html(one.at, zone)
    head = (
        f'<span class="number">Attempt {one.attempt}</span> {chip(status, tone)} '
        f'<span class="number">{duration(one.took)}</span> <span class="soft">{at}</span>{shared}'
    )
    why = one.detail or one.meaning
    said = f'<p class="soft">{safe(why)}</p>' if why and one.step != Step.DELIVERED else ""
    if not one.request and not one.response:
        return f'<li><p class="row-line">{head} <span class="soft">no sample was kept</span></p>{said}</li>'
    samples = _sample("Request", one.request) + _sample("Response", one.response)
    return f"<li><details><summary>{head}</summary>{samples}</details>{said}</li>"


def _sample(title: str, text: str) -> str:
    return f'<h3>{title}</h3><pre class="json">{safe(text)}</pre>' if text else ""
