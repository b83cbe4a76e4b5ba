"""How a destination fares with a receiver that misbehaves: trials that each destination must pass.

A trial says how the receiver answers, and what has to become of the events. What is tried comes as a `Run`, the way in
which deliver tries it; so native destinations, those of the catalogue and customers' own functions pass the same ones.
Requests go through the real transport to a receiver on the loopback interface, whatever host they name.

Of all of them must hold: every event has an end, and none counts as delivered unless the receiver took it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from headwater.contracts.doubles import Answer, Mischief, Recorder
from headwater.deliver.attempt import Attempted
from headwater.deliver.transport import Transport
from headwater.deliver.ways import Run
from headwater.spec.destination import Exchange, Item, Request, Response
from headwater.spec.outcome import REASONS, Step

LOOPBACK = ("127.0.0.0/8", "::1/128")
_PATIENT = 10.0
_IMPATIENT = 0.1


class Trial(msgspec.Struct, frozen=True):
    """`why` says in a sentence what is tried. `pending` and `failed` are the reasons that may be given, of each step;
    `credentials` those when the destination has credentials.
    """

    why: str
    answer: Answer
    pending: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    retry_after: float | None = None


def _answered(status: int, *, mischief: Mischief = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, b'{"title":"Trial","detail":"As the trial wants it."}', mischief)


_REFUSED = frozenset({"BAD_REQUEST", "REJECTED", "NOT_FOUND", "MESSAGE_REJECTED", "UNAUTHORIZED"})
_AWAY = frozenset({"UNREACHABLE", "TIMEOUT"})

TRIALS: tuple[Trial, ...] = (
    Trial("The receiver says nothing.", Answer(mischief="hang"), frozenset({"TIMEOUT"})),
    Trial("The receiver breaks off without a word.", Answer(mischief="abort"), _AWAY),
    Trial("The answer is broken off in its middle.", Answer(mischief="half"), _AWAY),
    Trial("The answer is not HTTP.", Answer(mischief="garbage"), _AWAY),
    Trial(
        "The receiver is busy and says until when.",
        _answered(429, Retry_After="7"),
        frozenset({"RETRY"}),
        retry_after=7.0,
    ),
    Trial("The receiver is busy.", _answered(429), frozenset({"RETRY"})),
    Trial("The receiver is broken.", _answered(500), frozenset({"RETRY"})),
    Trial("The receiver is away for a while.", _answered(503), frozenset({"RETRY"})),
    Trial("The receiver cannot do that at all.", _answered(501), failed=_REFUSED),
    Trial("The receiver refuses the request.", _answered(400), failed=_REFUSED),
    Trial("There is nothing at that address.", _answered(404), failed=_REFUSED),
    Trial("The request is too large.", _answered(413), failed=_REFUSED),
    Trial("The receiver sends the request elsewhere.", _answered(307, Location="http://127.0.0.1:9/"), failed=_REFUSED),
    Trial("The credentials have expired.", _answered(401), failed=_REFUSED, credentials=frozenset({"PAUSED"})),
    Trial("The credentials are not enough.", _answered(403), failed=_REFUSED, credentials=frozenset({"PAUSED"})),
)


def towards(recorder: Recorder, transport: Transport, *, seconds: float = _PATIENT) -> Exchange:
    """An exchange that sends every request to the recorder, under its own path, and waits so long for its answer."""

    async def exchange(request: Request) -> Response:
        parts = urlsplit(request.url)
        url = recorder.url(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return await transport.exchange(msgspec.structs.replace(request, url=url, timeout=seconds, redirects=0))

    return exchange


async def check_trials(run: Run, items: Sequence[Item], *, credentials: bool) -> None:
    """All trials, one after the other, with these items. Raises AssertionError with a sentence."""
    for trial in TRIALS:
        async with Recorder() as recorder, Transport(LOOPBACK) as transport:
            recorder.always(trial.answer)
            seconds = _IMPATIENT if trial.answer.mischief == "hang" else _PATIENT
            tried = await run(items, towards(recorder, transport, seconds=seconds))
        _check(trial, tried, len(items), credentials=credentials)
    await check_away(run, items)


async def check_away(run: Run, items: Sequence[Item]) -> None:
    """Nobody listens: the events wait."""
    async with Recorder() as recorder:
        gone = recorder
    async with Transport(LOOPBACK) as transport:
        tried = await run(items, towards(gone, transport))
    away = Trial("Nobody listens.", Answer(), frozenset({"UNREACHABLE"}))
    _check(away, tried, len(items), credentials=False)


async def check_taken(
    run: Run, items: Sequence[Item], answer: Answer, *, bodies: Callable[[bytes], int], most: int
) -> None:
    """A receiver that takes everything gets every item, in requests of at most `most` items as `bodies` counts them."""
    async with Recorder() as recorder, Transport(LOOPBACK) as transport:
        recorder.always(answer)
        tried = await run(items, towards(recorder, transport))
        counts = [bodies(request.body) for request in recorder.requests if request.body]
    assert {tried.verdict.of(index).step for index in range(len(items))} == {Step.DELIVERED}, tried.verdict
    assert sum(counts) == len(items), f"{len(items)} items went out as {counts}."
    assert max(counts) <= most, f"A request had {max(counts)} items."


def _check(trial: Trial, tried: Attempted, count: int, *, credentials: bool) -> None:
    pending, failed = trial.pending, trial.failed
    if credentials and trial.credentials:
        pending, failed = trial.credentials, frozenset[str]()
    for index in range(count):
        verdict = tried.verdict.of(index)
        assert verdict.step is not Step.DELIVERED, f"{trial.why} Item {index} counts as delivered."
        known = pending if verdict.step is Step.PENDING else failed
        assert verdict.reason in REASONS[verdict.step], f"{trial.why} {verdict.reason} is no known reason."
        assert verdict.reason in known, f"{trial.why} Item {index} is {verdict.step} for {verdict.reason}: {verdict}"
    if trial.retry_after is not None:
        assert tried.verdict.retry_after == trial.retry_after, f"{trial.why} It is not waited for: {tried.verdict}"
