"""Sending again from the console, over a store with more failed deliveries than one request takes up."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from crm_house import CrmDesk, with_crm
from manage_house import ADMIN

from headwater.console.parts.destinations.redriving import redrive_whole
from headwater.console.person import Person
from headwater.manage.operations import parked as operation
from headwater.manage.operations.parked import RedriveDeliveries
from headwater.spec.timestamps import format_moment
from headwater.store import parked, redriving
from headwater.store.parked import ParkedDelivery, delivery_id

START = 1_700_000_000_000
PAGES = 250, 250, 100


def fail(crm: CrmDesk, destination: str, failures: int) -> None:
    """Failed deliveries, one parked each second."""
    rows = [
        ParkedDelivery(
            id=delivery_id(destination, 0, number),
            destination_id=destination,
            source_id=crm.source,
            partition=0,
            position=number,
            message_id=f"m{number}",
            event_type="track",
            event_name="A",
            received_at=START,
            payload=b"{}",
            state="failed",
            parked_reason="OVERFLOW",
            reason="BAD_REQUEST",
            detail="",
            attempts=1,
            notes=[],
            due_at=START,
            expires_at=START,
            parked_at=START + number * 1_000,
            counted_at=START,
            ended_at=START + number * 1_000,
        )
        for number in range(failures)
    ]
    crm.house.store.run(partial(parked.park, deliveries=rows))


def states(crm: CrmDesk, destination: str) -> dict[str, int]:
    chosen = redriving.Filter(destination_id=destination)
    return {row[1]: row[3] for row in crm.house.store.run(partial(redriving.counts, chosen=chosen))}


def test_all_are_sent_again_though_one_request_takes_up_only_some_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "_REDRIVING_SECONDS", 0.0)

    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            hook = await crm.connect("webhook")
            await asyncio.to_thread(fail, crm, hook, sum(PAGES))
            heard: list[tuple[int, int]] = []
            person = Person(crm.desk.front, ADMIN, name="A", scopes=("*",), zone="UTC")
            wanted = RedriveDeliveries(destination_id=hook)
            moved = await redrive_whole(person, wanted, lambda moved, left: heard.append((moved, left)))
            assert (moved, heard) == (sum(PAGES), [(250, 350), (500, 100)])
            assert await asyncio.to_thread(states, crm, hook) == {"waiting": sum(PAGES)}

    asyncio.run(scenario())


def test_what_was_parked_outside_the_range_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_REDRIVING_SECONDS", 0.0)

    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            hook = await crm.connect("webhook")
            await asyncio.to_thread(fail, crm, hook, sum(PAGES))
            span: dict[str, Any] = {
                "from_": format_moment(START + 100_000),
                "to": format_moment(START + 400_000),
            }
            person = Person(crm.desk.front, ADMIN, name="A", scopes=("*",), zone="UTC")
            wanted = RedriveDeliveries(destination_id=hook, **span)
            assert await redrive_whole(person, wanted, lambda moved, left: None) == 300
            assert await asyncio.to_thread(states, crm, hook) == {"waiting": 300, "failed": 300}

    asyncio.run(scenario())
