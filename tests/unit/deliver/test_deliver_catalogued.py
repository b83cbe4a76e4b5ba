"""What the catalogue's worker says of events becomes a verdict, in the words of every other answer."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from headwater.catalogue import Answer, Call, Ended, Workers
from headwater.deliver.attempt import Attempted
from headwater.deliver.catalogued import catalogued, judge, verdict
from headwater.deliver.fates import fate
from headwater.deliver.tokens import Tokens
from headwater.spec.destination import Action, Exchange, Item, Request, Response
from headwater.spec.errors import Unavailable
from headwater.spec.workspace import Destination, Subscription


@pytest.mark.parametrize(
    ("ended", "asked", "step", "reason", "ill", "refused"),
    [
        (Ended("ok", 200), True, "delivered", "", False, False),
        (Ended("skipped"), True, "failed_delivery", "MESSAGE_REJECTED", False, False),
        (Ended("retry", 503), True, "pending", "RETRY", True, False),
        (Ended("retry", code="ECONNREFUSED"), True, "pending", "UNREACHABLE", True, False),
        (Ended("retry", code="TIMEOUT"), True, "pending", "TIMEOUT", True, False),
        (Ended("retry", code="WORKER_ENDED"), True, "pending", "RETRY", False, False),
        (Ended("auth", 401), True, "pending", "PAUSED", False, True),
        (Ended("permanent", 400), True, "failed_delivery", "BAD_REQUEST", False, False),
        (Ended("permanent", 400), False, "failed_delivery", "MESSAGE_REJECTED", False, False),
        (Ended("permanent", 404), True, "failed_delivery", "NOT_FOUND", False, False),
        (Ended("permanent", 451), True, "failed_delivery", "REJECTED", False, False),
        (
            Ended("permanent", 400, "PAYLOAD_VALIDATION_FAILED"),
            True,
            "failed_delivery",
            "MESSAGE_REJECTED",
            False,
            False,
        ),
        (Ended("permanent", code="PRIVATE_ADDRESS"), True, "failed_delivery", "PRIVATE_ADDRESS", False, False),
        (Ended("permanent", code="UNKNOWN_ACTION"), True, "failed_delivery", "INVALID_SETTINGS", False, False),
        (Ended("permanent", code="CRASH"), True, "pending", "RETRY", False, False),
        (Ended("permanent", code="KILLED_WORKERS"), True, "failed_delivery", "INTERNAL", False, False),
    ],
)
def test_each_end_has_its_verdict(ended: Ended, asked: bool, step: str, reason: str, ill: bool, refused: bool) -> None:
    found = verdict(ended, asked=asked)
    assert (found.step, found.reason, found.ill, found.refused) == (step, reason, ill, refused)


def test_what_breaks_inside_a_destination_is_tried_twice() -> None:
    found = verdict(Ended("permanent", code="CRASH", message="x is not a function"), asked=True)
    fates = [fate(found, 0, attempts=attempts, at=1, expires_at=10**9, wait=2.0) for attempts in (1, 2)]
    assert [(one.state, one.reason) for one in fates] == [("waiting", "RETRY"), ("failed", "INTERNAL")]
    assert {one.detail for one in fates} == {"x is not a function"}


def test_events_of_a_batch_fare_each_by_itself() -> None:
    found = judge(Answer((Ended("permanent", 400), Ended("ok", 200), Ended("retry", 429, retry_after=7.0))), asked=True)
    assert [found.of(index).step for index in range(3)] == ["failed_delivery", "delivered", "pending"]
    assert found.step == "delivered"
    assert found.of(2).retry_after == 7.0


def test_what_a_destination_hands_back_is_not_taken_for_delivered() -> None:
    found = judge(Answer((Ended("ok", 200),), [{"type": "track"}]), asked=False)
    assert (found.step, found.reason) == ("failed_delivery", "INVALID_SETTINGS")


def test_credentials_refused_for_one_event_of_a_batch_are_refused_for_the_destination() -> None:
    found = judge(Answer((Ended("ok", 200), Ended("auth", 401, message="gone"))), asked=True)
    assert (found.step, found.refused, found.refuses) == ("delivered", False, True)
    assert found.of(1).reason == "PAUSED"


def test_who_has_no_credentials_cannot_be_refused_any() -> None:
    found = verdict(Ended("auth", 403, message="no"), asked=True, credentials=False)
    assert (found.step, found.reason, found.refused) == ("failed_delivery", "UNAUTHORIZED", False)


class Keys:
    """Tokens of a vendor who gives new ones, in a house whose store is away when a refusal is to be noted."""

    async def current(self, destination: Destination) -> dict[str, str]:
        return {"access_token": "old-token"}

    async def save(self, destination_id: str, new: dict[str, str]) -> None:
        assert destination_id == "d"

    @asynccontextmanager
    async def locked(self, destination_id: str) -> AsyncGenerator[dict[str, str]]:
        yield {"access_token": "others-token", "clientSecret": "shared"}

    async def refuse(self, destination_id: str, detail: str) -> None:
        raise Unavailable("The store is away.")


class Refreshing:
    """Workers whose destination refreshes its tokens before it makes its request."""

    def __init__(self, *ended: Ended) -> None:
        self._ended = ended

    async def deliver(self, call: Call, exchange: Exchange, **keys: Any) -> Answer:
        async with keys["hold_tokens"]():
            await keys["save_tokens"]({"access_token": "new-token"})
        await exchange(Request("POST", "https://example.com/", body=b"new-token", secrets=("old-token",)))
        return Answer(self._ended)


def tried(*ended: Ended) -> Attempted:
    run = catalogued(
        cast("Workers", Refreshing(*ended)),
        Destination(id="d", source_id="s", definition="actions-tool", name="Tool"),
        Action(slug="send", name="Send", description="Sends."),
        Subscription(id="w", name="Send", action="send", trigger='type = "page"'),
        settings={},
        tokens=cast("Tokens", Keys()),
    )
    items: Sequence[Item] = [Item(b"{}", "track", "A", f"m{number}", number, 0) for number in range(len(ended))]

    async def exchange(request: Request) -> Response:
        return Response(200)

    async def attempt() -> Attempted:
        return await run(items, exchange)

    return asyncio.run(attempt())


def test_tokens_that_come_during_a_call_are_hidden_like_those_it_began_with() -> None:
    request = tried(Ended("ok", 200)).request
    assert request is not None
    assert {"old-token", "others-token", "shared", "new-token"} <= set(request.secrets)


def test_a_refusal_that_cannot_be_noted_leaves_the_answer_as_it_is() -> None:
    found = tried(Ended("ok", 200), Ended("auth", 401, "OAUTH_REFRESH_FAILED", "no")).verdict
    assert (found.of(0).step, found.of(1).reason, found.refuses) == ("delivered", "PAUSED", True)
