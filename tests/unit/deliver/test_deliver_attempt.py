"""Driving an action's generator."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from headwater.deliver.attempt import Attempted, attempt, bisected, item_verdict, preview
from headwater.deliver.classify import Verdict
from headwater.spec.destination import Action, Exchange, Failed, Item, NoAnswer, Request, Response, Steps
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.outcome import Step

ITEM = Item(b'{"userId":"u1"}', "track", "A", "m1", 0, 0)


def define(steps: Callable[[dict[str, Any], Sequence[Item]], Steps]) -> Action:
    return Action(name="upsert", description="Upserts.", steps=steps)


def upsert(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    found = yield Request("GET", "https://example.com/u1")
    yield Request("POST" if found.status == 404 else "PUT", "https://example.com/u1", body=items[0].body)
    return None


def run(steps: Any, *answers: Response | NoAnswer) -> tuple[Attempted, list[str]]:
    made: list[str] = []

    async def exchange(request: Request) -> Response:
        made.append(request.method)
        answer = answers[len(made) - 1]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    return asyncio.run(attempt(define(steps), {}, [ITEM], exchange, credentials=False)), made


@pytest.mark.parametrize(
    ("answers", "methods", "step", "reason"),
    [
        ([Response(404), Response(201)], ["GET", "POST"], "delivered", ""),
        ([Response(200), Response(200)], ["GET", "PUT"], "delivered", ""),
        ([Response(200), Response(400)], ["GET", "PUT"], "failed_delivery", "BAD_REQUEST"),
        ([Response(503)], ["GET"], "pending", "RETRY"),
        ([Response(200), NoAnswer("TIMEOUT", "slow")], ["GET", "PUT"], "pending", "TIMEOUT"),
    ],
)
def test_the_last_answer_decides_and_later_means_the_whole_again(
    answers: list[Any], methods: list[str], step: str, reason: str
) -> None:
    tried, made = run(upsert, *answers)
    assert made == methods
    assert (tried.verdict.step, tried.verdict.reason) == (step, reason)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SetupError("The list is gone."), "INVALID_SETTINGS"),
        (SenderError("No email."), "MESSAGE_REJECTED"),
        (KeyError("email"), "INTERNAL"),
    ],
)
def test_an_action_that_raises_fails_its_delivery(error: Exception, reason: str) -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        raise error
        yield Request("GET", "https://example.com/")

    tried, made = run(steps)
    assert made == []
    assert (tried.verdict.step, tried.verdict.reason, tried.verdict.ill) == ("failed_delivery", reason, False)


def test_an_action_that_never_ends_is_ended() -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        while True:
            yield Request("GET", "https://example.com/")

    tried, made = run(steps, *[Response(200)] * 100)
    assert tried.verdict.reason == "INTERNAL"
    assert len(made) == 20


def test_failed_items_outside_the_batch_do_not_exist() -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        yield Request("POST", "https://example.com/")
        return {0: Failed("no"), 5: Failed("never sent"), -1: Failed("neither")}

    assert run(steps, Response(207))[0].verdict.items == {0: item_verdict(Failed("no"))}


def test_an_item_that_may_succeed_later_waits_and_the_others_are_delivered() -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        yield Request("POST", "https://example.com/")
        return {0: Failed("busy", again=True, status=429)}

    verdict = run(steps, Response(207))[0].verdict
    assert (verdict.step, verdict.of(0).step, verdict.of(0).status, verdict.of(1).step) == (
        "delivered",
        "pending",
        429,
        "delivered",
    )


@pytest.mark.parametrize(
    ("bad", "requests", "left"),
    [([], 1, []), ([1], 3, [0, 1, 2]), ([2, 5], 3, [0, 1, 2, 3, 4, 5]), ([4], 3, [3, 4, 5])],
)
def test_a_batch_that_is_refused_as_a_whole_is_tried_once_more_in_halves(
    bad: list[int], requests: int, left: list[int]
) -> None:
    made: list[Request] = []
    items = [Item(b"{}", "track", "A", f"m{position}", position, 0) for position in range(6)]

    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        yield Request("POST", "https://example.com/", body=bytes(item.position for item in items))

    async def exchange(request: Request) -> Response:
        made.append(request)
        return Response(400 if set(request.body) & set(bad) else 200)

    async def once(items: Sequence[Item], exchange: Exchange) -> Attempted:
        return await attempt(define(steps), {}, items, exchange, credentials=False)

    verdict = asyncio.run(bisected(once)(items, exchange)).verdict
    assert len(made) == requests
    assert [index for index in range(6) if verdict.of(index).step != "delivered"] == left


def test_halves_that_fare_each_in_their_own_way_keep_it_for_each_item() -> None:
    answers = [
        Verdict(Step.FAILED_DELIVERY, "BAD_REQUEST", status=400),
        Verdict(Step.DELIVERED, status=200, items={1: item_verdict(Failed("no"))}),
        Verdict(Step.PENDING, "PAUSED", status=401, refused=True, items={0: item_verdict(Failed("bad"))}),
    ]
    items = [Item(b"{}", "track", "A", f"m{position}", position, 0) for position in range(4)]

    async def once(items: Sequence[Item], exchange: Any) -> Attempted:
        return Attempted(answers.pop(0), 0.1)

    found = asyncio.run(bisected(once)(items, cast("Exchange", None))).verdict
    assert [found.of(index).step for index in range(4)] == [
        "delivered",
        "failed_delivery",
        "failed_delivery",
        "pending",
    ]
    assert found.refuses
    assert not any(own.items for own in found.items.values())


def test_a_batch_that_its_action_breaks_on_is_tried_once_more_in_halves() -> None:
    items = [Item(b"{}", "track", "A", f"m{position}", position, 0) for position in range(4)]

    async def once(items: Sequence[Item], exchange: Any) -> Attempted:
        breaks = any(item.position == 3 for item in items)
        broken = Verdict(Step.PENDING, "RETRY", "x is not a function", final="INTERNAL")
        return Attempted(broken if breaks else Verdict(Step.DELIVERED, status=200), 0.1)

    found = asyncio.run(bisected(once)(items, cast("Exchange", None))).verdict
    assert [(found.of(index).step, found.of(index).final) for index in range(4)] == [
        *[("delivered", "")] * 2,
        *[("pending", "INTERNAL")] * 2,
    ]


def test_a_refusal_of_credentials_is_not_tried_again_in_halves() -> None:
    tries: list[int] = []
    items = [Item(b"{}", "track", "A", f"m{position}", position, 0) for position in range(4)]

    async def once(items: Sequence[Item], exchange: Any) -> Attempted:
        tries.append(len(items))
        return Attempted(Verdict(Step.PENDING, "PAUSED", status=400, refused=True), 0.1)

    assert asyncio.run(bisected(once)(items, cast("Exchange", None))).verdict.refused
    assert tries == [4]


def test_a_preview_makes_no_request_and_shows_all() -> None:
    assert [request.method for request in preview(define(upsert), {}, [ITEM], ()).requests] == ["GET", "PUT"]


def test_a_preview_shows_the_requests_before_the_one_that_cannot_be_made() -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        yield Request("GET", "https://example.com/?token=secret")
        raise SenderError("No email.")

    found = preview(define(steps), {}, [ITEM], ())
    assert [request.url for request in found.requests] == ["https://example.com/?token=[redacted]"]
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.detail) == ("MESSAGE_REJECTED", "No email.")
    assert preview(define(upsert), {}, [ITEM], ()).refusal is None


def test_a_preview_tells_why_an_action_sends_nothing() -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        return {0: Failed("It was there before.")}
        yield Request("GET", "https://example.com/")

    found = preview(define(steps), {}, [ITEM], ())
    assert (found.requests, found.refusal, found.failed) == ([], None, {0: "It was there before."})
