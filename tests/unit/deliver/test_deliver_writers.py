"""Writers are opened when needed, shared, closed when idle, and opened anew after they broke."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from headwater.contracts.destinations import items
from headwater.deliver.classify import Verdict
from headwater.deliver.writers import Writers
from headwater.destinations import definition
from headwater.spec.destination import Action, Failed, Guard, Item, NoAnswer, Request, Response, Result
from headwater.spec.outcome import Step


class Pen:
    """A writer that writes as told, and notes what is done with it."""

    def __init__(self, ends: Callable[[int], Awaitable[Result]]) -> None:
        self.ends = ends
        self.opened = self.written = self.closed = 0
        self.refuses: NoAnswer | None = None
        self.action = Action(name="Write", description="Writes.", writer=self._open)

    async def _open(self, settings: dict[str, Any], guard: Guard) -> "Pen":
        await guard("pen.example", 1)
        if self.refuses is not None:
            raise self.refuses
        self.opened += 1
        return self

    async def write(self, items: Sequence[Item]) -> Result:
        self.written += 1
        return await self.ends(self.written)

    async def close(self) -> None:
        self.closed += 1


async def well(number: int) -> Result:
    return None


async def anywhere(host: str, port: int) -> str:
    return host


async def no_exchange(request: Request) -> Response:
    raise AssertionError("a writer makes no requests")


async def attempts(
    pen: Pen, count: int, *, together: bool = False, settings: Sequence[dict[str, Any]] = ({},), **named: Any
) -> list[Verdict]:
    """So many writings, with a run for each of the settings in turn."""
    due = items([{"messageId": "m1"}, {"messageId": "m2"}])
    async with Writers(anywhere, **named) as writers:
        runs = [writers.writing(definition("webhook"), pen.action, each) for each in settings]
        tries = [runs[number % len(runs)](due, no_exchange) for number in range(count)]
        tried = await asyncio.gather(*tries) if together else [await each for each in tries]
    return [each.verdict for each in tried]


def test_a_writer_is_opened_once_for_all_who_write_at_the_same_time() -> None:
    pen = Pen(well)
    verdicts = asyncio.run(attempts(pen, 20, together=True))
    assert {verdict.step for verdict in verdicts} == {Step.DELIVERED}
    assert (pen.opened, pen.written, pen.closed) == (1, 20, 1)


def test_those_with_other_settings_have_a_writer_of_their_own() -> None:
    pen = Pen(well)
    asyncio.run(attempts(pen, 4, settings=[{"a": 1}, {"a": 2}, {"a": 1}]))
    assert (pen.opened, pen.closed) == (2, 2)


def breaks(*numbers: int) -> Callable[[int], Awaitable[Result]]:
    """The writings of these numbers find the connection gone."""

    async def write(number: int) -> Result:
        if number in numbers:
            raise NoAnswer("UNREACHABLE", "The line is cut.")
        return None

    return write


def test_what_finds_an_old_connection_gone_is_written_on_a_new_one() -> None:
    pen = Pen(breaks(2))
    verdicts = asyncio.run(attempts(pen, 3))
    assert {verdict.step for verdict in verdicts} == {Step.DELIVERED}
    assert (pen.opened, pen.written, pen.closed) == (2, 4, 2)


def test_where_the_new_connection_breaks_too_the_events_wait() -> None:
    pen = Pen(breaks(2, 3))
    assert [verdict.reason for verdict in asyncio.run(attempts(pen, 3))] == ["", "UNREACHABLE", ""]
    assert (pen.opened, pen.written, pen.closed) == (3, 4, 3)


def test_a_writer_is_opened_anew_after_a_writing_without_an_answer() -> None:
    pen = Pen(breaks(1))
    first, second = asyncio.run(attempts(pen, 2))
    assert (first.step, first.reason, first.ill) == (Step.PENDING, "UNREACHABLE", True)
    assert second.step is Step.DELIVERED
    assert (pen.opened, pen.closed) == (2, 2)


def test_a_writer_that_refuses_an_event_stays_open() -> None:
    async def one_is_refused(number: int) -> Result:
        return {1: Failed("It is too large.")}

    pen = Pen(one_is_refused)
    verdicts = asyncio.run(attempts(pen, 2))
    assert [verdict.step for verdict in verdicts] == [Step.DELIVERED] * 2
    assert verdicts[0].of(0).step is Step.DELIVERED
    assert verdicts[0].of(1).reason == "MESSAGE_REJECTED"
    assert pen.opened == 1


def test_where_no_event_was_written_the_writing_has_failed() -> None:
    async def all_wait(number: int) -> Result:
        return {0: Failed("Full.", again=True), 1: Failed("It is too large.")}

    (verdict,) = asyncio.run(attempts(Pen(all_wait), 1))
    assert (verdict.step, verdict.reason, verdict.ill) == (Step.PENDING, "RETRY", True)
    assert verdict.of(1).step is Step.FAILED_DELIVERY


def test_a_writer_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async def never(number: int) -> Result:
        await asyncio.Event().wait()
        return None

    pen = Pen(never)
    (verdict,) = asyncio.run(attempts(pen, 1, deadline_seconds=0.02))
    assert (verdict.step, verdict.reason, verdict.ill) == (Step.PENDING, "TIMEOUT", True)
    assert pen.closed == 1


def test_a_writer_that_cannot_be_opened_says_why_to_all_who_wait_and_is_tried_again() -> None:
    pen = Pen(well)
    pen.refuses = NoAnswer("UNAUTHORIZED", "The password is wrong.")
    verdicts = asyncio.run(attempts(pen, 3, together=True))
    assert {(verdict.step, verdict.reason, verdict.refused) for verdict in verdicts} == {(Step.PENDING, "PAUSED", True)}
    pen.refuses = None
    assert asyncio.run(attempts(pen, 1))[0].step is Step.DELIVERED


def test_a_writer_with_a_bug_fails_its_events_and_ends_nothing_else() -> None:
    async def bug(number: int) -> Result:
        raise KeyError("x")

    pen = Pen(bug)
    verdicts = asyncio.run(attempts(pen, 2))
    assert [verdict.reason for verdict in verdicts] == ["INTERNAL", "INTERNAL"]
    assert (pen.opened, pen.closed) == (2, 2)


def test_an_idle_writer_is_closed_and_opened_again_when_needed() -> None:
    pen = Pen(well)

    async def scenario() -> None:
        async with Writers(anywhere, idle_seconds=0.01) as writers:
            run = writers.writing(definition("webhook"), pen.action, {})
            due = items([msgspec.json.encode({"messageId": "m1"}).decode()])
            await run(due, no_exchange)
            assert writers.open == 1
            async with asyncio.timeout(10):
                while writers.open:
                    await asyncio.sleep(0)
            assert (await run(due, no_exchange)).verdict.step is Step.DELIVERED
        assert (pen.opened, pen.closed) == (2, 2)

    asyncio.run(scenario())
