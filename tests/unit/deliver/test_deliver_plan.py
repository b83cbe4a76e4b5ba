"""Compiling destinations: whatever is wrong with one, it is the trouble of nobody else."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from headwater.deliver import plan as plans
from headwater.deliver.attempt import Attempted
from headwater.deliver.lanes import alike
from headwater.deliver.plan import LanePlan, compile_lane
from headwater.destinations import definition
from headwater.spec.destination import (
    Action,
    Batch,
    DestinationDefinition,
    Failed,
    Field,
    Item,
    Request,
    Response,
    Steps,
)
from headwater.spec.errors import SetupError
from headwater.spec.settings import DeliverSettings
from headwater.spec.workspace import Destination, DestinationFilter, Subscription
from headwater.store.secrets import Secrets

SECRETS = Secrets([b"0" * 32])
WEBHOOK = Destination(
    id="d", source_id="s", definition="webhook", name="Hook", settings={"url": "https://example.com/hook"}
)


def compiled(destination: Destination = WEBHOOK) -> LanePlan:
    plan = compile_lane(destination, SECRETS, DeliverSettings())
    assert plan is not None
    return plan


def declare(monkeypatch: pytest.MonkeyPatch, **columns: Any) -> None:
    declared = msgspec.structs.replace(definition("webhook"), **columns)
    named: dict[str, DestinationDefinition] = {"webhook": declared}
    monkeypatch.setattr(plans, "definition", named.__getitem__)


def test_a_definition_that_breaks_keeps_the_events_of_its_destination_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(slug: str) -> DestinationDefinition:
        raise ImportError("its library is missing")

    monkeypatch.setattr(plans, "definition", breaks)
    plan = compiled()
    assert "ImportError" in plan.broken
    assert plan.decide is None
    assert set(plan.ways) == {""}


def test_a_check_that_breaks_breaks_its_destination_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(settings: dict[str, Any]) -> None:
        raise TypeError("no number")

    declare(monkeypatch, check=check)
    assert "TypeError" in compiled().broken


def test_a_filter_that_is_no_filter_breaks_its_destination_and_lets_nothing_through() -> None:
    odd: Any = ("DROP",)
    kept = DestinationFilter(id="f", title="Odd", condition="all", actions=odd)
    assert compiled(msgspec.structs.replace(WEBHOOK, filters=(kept,))).broken


def test_what_is_wrong_with_settings_is_said_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(settings: dict[str, Any]) -> None:
        raise SetupError(f"The address {settings['sharedSecret']} cannot be used.")

    declare(monkeypatch, check=check)
    sealed = {"url": "https://example.com/", "sharedSecret": SECRETS.seal("pa55word")}
    plan = compiled(msgspec.structs.replace(WEBHOOK, settings=sealed))
    assert plan.broken == "The address [redacted] cannot be used."


def test_a_subscription_that_breaks_leaves_the_others_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(settings: dict[str, Any], mapping: dict[str, Any]) -> Batch:
        return Batch(items=mapping["size"] + 1)

    field = Field(key="size", label="Size", description="How many.")
    action = Action(slug="send", name="Send", description="Sends.", fields=(field,), batch=batch)
    declare(monkeypatch, action=None, actions=(action,))
    made = [
        Subscription(id=id, name=id, action="send", trigger='type = "track"', mapping={"size": size})
        for id, size in (("well", 3), ("ill", "many"))
    ]
    plan = compiled(msgspec.structs.replace(WEBHOOK, subscriptions=tuple(made)))
    assert (plan.broken, plan.ways["well"].broken, plan.ways["well"].batch.items) == ("", "", 4)
    assert "TypeError" in plan.ways["ill"].broken


@pytest.mark.parametrize(
    ("bad", "fares"),
    [
        ([], ["delivered", "failed_delivery", "delivered", "pending", "delivered"]),
        ([4], ["delivered", "failed_delivery", "delivered", "failed_delivery", "failed_delivery"]),
    ],
)
def test_what_cannot_be_mapped_fails_alone_and_the_others_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, bad: list[int], fares: list[str]
) -> None:
    def steps(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
        yield Request("POST", "https://example.com/", body=bytes(item.position for item in items))
        return {index: Failed("later", again=True) for index, item in enumerate(items) if item.position == 3}

    async def exchange(request: Request) -> Response:
        return Response(400 if set(request.body) & set(bad) else 200)

    field = Field(key="name", label="Name", description="Who.", required=True)
    action = Action(slug="send", name="Send", description="Sends.", fields=(field,), steps=steps)
    declare(monkeypatch, action=None, actions=(action,))
    mapping = {"name": {"@path": "$.name"}}
    one = Subscription(id="w", name="w", action="send", trigger='type = "track"', mapping=mapping)
    way = compiled(msgspec.structs.replace(WEBHOOK, subscriptions=(one,))).ways["w"]
    bodies = [b'{"name":"n"}', b"{}", b'{"name":"n"}', b'{"name":"n"}', b'{"name":"n"}']
    items = [Item(body, "track", "A", f"m{number}", number, 0) for number, body in enumerate(bodies)]

    async def attempt() -> Attempted:
        return await way.run(items, exchange)

    verdict = asyncio.run(attempt()).verdict
    assert [verdict.of(index).step for index in range(5)] == fares


def test_a_setting_that_is_true_and_no_longer_1_is_a_change() -> None:
    one, other = (msgspec.structs.replace(WEBHOOK, settings={"batch_size": value}) for value in (1, True))
    assert one == other
    assert not alike(one, other)
    assert alike(one, msgspec.structs.replace(one))
    assert not alike(None, one)
