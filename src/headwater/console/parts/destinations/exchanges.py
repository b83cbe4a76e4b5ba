"""Requests and answers of a trial, as HTML. Pure."""

from __future__ import annotations

from typing import Final

from headwater.console.parts.figures import duration
from headwater.console.parts.pieces import Html, Tone, chip, pretty, safe
from headwater.manage.operations.preview import PreviewRequest, PreviewResponse

_TONES: Final[dict[str, Tone]] = {"delivered": "good", "failed_delivery": "bad", "pending": "warn"}


def request_html(one: PreviewRequest) -> Html:
    """A request: its address, headers and body."""
    return Html(
        f'<div class="exchange"><p class="mono"><b>{safe(one.method)}</b> {safe(one.url)}</p>'
        f"{_headers(one.headers)}{pretty(one.body)}</div>"
    )


def response_html(one: PreviewResponse) -> Html:
    """An answer, and what it means for the delivery."""
    status = f"HTTP {one.status}" if one.status else "no answer"
    said = " ".join(part for part in (one.meaning, one.detail) if part)
    return Html(
        f"<div class='exchange'><p>{chip(one.step.replace('_', ' '), _TONES.get(one.step, ''))} <b>{status}</b> "
        f"{safe(duration(one.took))}</p><p class='soft'>{safe(said)}</p>"
        f"{_headers(one.headers)}{pretty(one.body) if one.body not in (None, '') else ''}</div>"
    )


def _headers(headers: dict[str, str]) -> str:
    lines = "".join(f"<div><span>{safe(name)}</span> {safe(value)}</div>" for name, value in headers.items())
    return f'<div class="headers mono">{lines}</div>' if lines else ""
