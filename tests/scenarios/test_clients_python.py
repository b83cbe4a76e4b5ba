"""The official Python client, unchanged, pointed at a house: what it was given comes out, once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from downstream import TABLES, Downstream, check_clock, contains, house_with_webhook
from lossy_proxy import LOST, LossyProxy, lossy_proxy
from segment.analytics.client import Client
from segment.analytics.version import VERSION

CALLS = yaml.safe_load((Path(__file__).parents[1] / "cases" / "clients" / "calls.yaml").read_text())
_NAMES = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Downstream]:
    with house_with_webhook(tmp_path_factory.mktemp("python-client")) as found:
        yield found


def send(host: str, calls: Sequence[dict[str, Any]], *, write_key: str, **options: Any) -> list[dict[str, Any]]:
    """Make calls with a new client and return the messages that it queued. Raises AssertionError for a failure."""
    failures: list[Any] = []
    settings = {"upload_interval": 0.05, "max_total_backoff_duration": 20} | options
    client = Client(write_key, host=host, on_error=lambda error, batch: failures.append(error), **settings)
    queued: list[dict[str, Any]] = []
    for call in calls:
        given = {_NAMES.get(name, name): value for name, value in call.items() if name not in ("why", "type")}
        if isinstance(given.get("timestamp"), str):
            given["timestamp"] = datetime.fromisoformat(given["timestamp"])
        accepted, message = getattr(client, call["type"])(**given)
        assert accepted
        queued.append(message)
    client.shutdown()
    assert failures == []
    return queued


def check_delivered(downstream: Downstream, call: dict[str, Any], message: dict[str, Any]) -> None:
    event = downstream.only(message["messageId"])
    contains(event, {name: value for name, value in call.items() if name not in ("why", "timestamp")})
    assert event["context"]["library"] == {"name": "analytics-python", "version": VERSION}
    given, original = (datetime.fromisoformat(each) for each in (message["timestamp"], event["originalTimestamp"]))
    assert given == original
    check_clock(event)


@pytest.fixture(scope="module")
def sent(downstream: Downstream) -> list[dict[str, Any]]:
    return send(downstream.house.collect_url, CALLS, write_key=downstream.house.write_key)


@pytest.mark.parametrize("index", range(len(CALLS)), ids=[call["why"] for call in CALLS])
def test_a_call_of_the_python_client_arrives_as_it_was_made(
    downstream: Downstream, sent: list[dict[str, Any]], index: int
) -> None:
    check_delivered(downstream, CALLS[index], sent[index])


def test_every_call_of_the_python_client_is_archived_and_loaded_once(
    downstream: Downstream, sent: list[dict[str, Any]]
) -> None:
    downstream.settle()
    archived = downstream.archived()
    assert [archived[message["messageId"]] for message in sent] == [1] * len(sent)
    assert {message["type"] for message in sent} == set(TABLES)
    loaded = downstream.loaded(*TABLES)
    assert [loaded[message["messageId"]] for message in sent] == [1] * len(sent)


def test_the_python_client_may_compress(downstream: Downstream) -> None:
    with lossy_proxy(downstream.house.collect_url) as proxy:
        messages = send(proxy.url, CALLS, write_key=downstream.house.write_key, gzip=True)
    assert {request.headers["content-encoding"] for request in proxy.seen} == {"gzip"}
    for call, message in zip(CALLS, messages, strict=True):
        check_delivered(downstream, call, message)


def test_a_host_with_a_slash_at_its_end_works_too(downstream: Downstream) -> None:
    call = CALLS[2]
    [message] = send(downstream.house.collect_url + "/", [call], write_key=downstream.house.write_key)
    check_delivered(downstream, call, message)


@pytest.mark.parametrize(
    "mishaps",
    [(LOST,), (503,), (LOST, 502), (408,)],
    ids=["a lost answer", "a 503 after all", "two mishaps in a row", "a 408"],
)
def test_what_the_python_client_repeats_arrives_once(downstream: Downstream, mishaps: tuple[int, ...]) -> None:
    with lossy_proxy(downstream.house.collect_url, *mishaps) as proxy:
        messages = send(proxy.url, CALLS[:4], write_key=downstream.house.write_key)
    check_repeated(proxy, mishaps)
    downstream.settle()
    archived = downstream.archived()
    for call, message in zip(CALLS, messages, strict=False):
        check_delivered(downstream, call, message)
        assert archived[message["messageId"]] == 1


def check_repeated(proxy: LossyProxy, mishaps: tuple[int, ...]) -> None:
    """The client tried once more for each mishap, and said so in a header that changed nothing."""
    assert [request.status for request in proxy.seen] == [*mishaps, 200]
    counts = [request.headers.get("x-retry-count") for request in proxy.seen]
    assert counts == [None, *(str(number + 1) for number in range(len(mishaps)))]


def test_values_that_json_has_not_do_not_lose_the_batch(downstream: Downstream) -> None:
    odd = {
        "nan": float("nan"),
        "endless": float("inf"),
        "below": float("-inf"),
        "minus_zero": -0.0,
        "long": 12345678901234567890123456789012345678901,
        "half": "a\ud800b",
        "nul": "a\0b",
        "when": datetime(2024, 3, 1, 10, tzinfo=UTC),
        "inner": [float("nan"), {"deep": float("inf")}],
    }
    calls = [
        {"type": "track", "userId": 42, "event": "Odd Values", "properties": odd},
        {"type": "track", "userId": "ada", "event": "Neighbour", "properties": {"a": 1}},
    ]
    with lossy_proxy(downstream.house.collect_url) as proxy:
        odd_one, neighbour = send(proxy.url, calls, write_key=downstream.house.write_key)
    assert b"NaN" in proxy.seen[0].body, "this client no longer writes NaN; the case has lost its point"
    event = downstream.only(odd_one["messageId"])
    properties = event["properties"]
    assert event["userId"] == "42"
    assert (properties["nan"], properties["endless"], properties["below"]) == (None, None, None)
    assert properties["inner"] == [None, {"deep": None}]
    assert properties["half"] in ("a\ufffdb", "a\ufffd\ufffdb")
    assert properties["nul"] == "a\0b"
    assert float(properties["long"]) == pytest.approx(1.2345678901234568e40)
    assert properties["when"] == "2024-03-01T10:00:00+00:00"
    assert downstream.only(neighbour["messageId"])["properties"] == {"a": 1}
    downstream.settle()
    assert downstream.loaded("track")[odd_one["messageId"]] == 1


def test_the_example_on_the_page_for_people_works(downstream: Downstream) -> None:
    code = downstream.example("python", reader="reader-python")
    exec(compile(code, "the page", "exec"), {})
    assert [event["type"] for event in downstream.of_user("reader-python", 2)] == ["identify", "track"]


def test_a_message_id_of_ones_own_is_kept_and_counts_once(downstream: Downstream) -> None:
    mine = f"order-{uuid.uuid4()}"
    call = {"type": "track", "userId": "ada", "event": "Twice", "message_id": mine}
    send(downstream.house.collect_url, [call], write_key=downstream.house.write_key)
    send(downstream.house.collect_url, [call, call], write_key=downstream.house.write_key)
    downstream.settle()
    assert downstream.only(mine)["event"] == "Twice"
    assert downstream.archived()[mine] == 1


def test_five_hundred_calls_in_many_batches_all_arrive(downstream: Downstream) -> None:
    user = f"busy-{uuid.uuid4()}"
    calls = [
        {"type": "track", "userId": user, "event": "Counted", "properties": {"number": number}} for number in range(500)
    ]
    messages = send(downstream.house.collect_url, calls, write_key=downstream.house.write_key, upload_size=50)
    downstream.settle()
    archived = downstream.archived()
    assert [archived[message["messageId"]] for message in messages] == [1] * 500
    delivered = downstream.delivered()
    assert sorted(delivered[message["messageId"]][0]["properties"]["number"] for message in messages) == list(
        range(500)
    )
