"""A source with a budget: both official clients wait as long as they are told, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from downstream import Downstream, house_with_webhook
from lossy_proxy import LossyProxy, lossy_proxy
from node_client import install, run_node
from segment.analytics.client import Client

EVENTS_PER_SECOND = 10
BATCH = 25
CALLS = [{"type": "track", "userId": "ada", "event": "Rushed", "properties": {"number": each}} for each in range(30)]
"""Two batches. The first may leave a debt, which the second meets."""


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Downstream]:
    budget = {"COLLECT_EVENTS_PER_SECOND": str(EVENTS_PER_SECOND)}
    with house_with_webhook(tmp_path_factory.mktemp("throttled"), **budget) as found:
        yield found


def check_waited(proxy: LossyProxy) -> None:
    """A batch was refused for a time, and came again not before that time."""
    statuses = [request.status for request in proxy.seen]
    assert set(statuses) == {200, 429}, statuses
    refused = next(request for request in proxy.seen if request.status == 429)
    assert refused.answer_headers["retry-after"] == refused.answer_headers["x-ratelimit-reset"]
    wait = int(refused.answer_headers["retry-after"])
    assert wait >= 1
    later = [request for request in proxy.seen if request.at > refused.answered_at]
    assert later
    assert all(request.at - refused.answered_at > wait - 0.05 for request in later), "a client came back too early"


def check_arrived(downstream: Downstream, message_ids: list[str]) -> None:
    assert len(set(message_ids)) == len(CALLS)
    numbers = [downstream.only(message_id)["properties"]["number"] for message_id in message_ids]
    assert sorted(numbers) == list(range(len(CALLS)))


def test_the_python_client_waits_as_long_as_it_is_told(downstream: Downstream) -> None:
    failures: list[Any] = []
    with lossy_proxy(downstream.house.collect_url) as proxy:
        client = Client(
            downstream.house.write_key,
            host=proxy.url,
            upload_size=BATCH,
            upload_interval=0.05,
            on_error=lambda error, batch: failures.append(error),
        )
        queued = [client.track("ada", "Rushed", call["properties"])[1]["messageId"] for call in CALLS]
        client.shutdown()
    assert failures == []
    check_waited(proxy)
    check_arrived(downstream, queued)


def test_the_node_client_waits_as_long_as_it_is_told(downstream: Downstream) -> None:
    install()
    with lossy_proxy(downstream.house.collect_url) as proxy:
        settings = {"writeKey": downstream.house.write_key, "host": proxy.url, "flushAt": BATCH}
        # This client sends batches side by side, and the success of one ends the wait of another; here they take turns.
        said = run_node("send.mjs", settings, [*CALLS[:BATCH], {"type": "flush"}, *CALLS[BATCH:]])
    assert [one["error"] for one in said] == [None] * len(CALLS)
    check_waited(proxy)
    check_arrived(downstream, [one["event"]["messageId"] for one in said])
