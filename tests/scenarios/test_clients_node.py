"""The official Node client, unchanged, pointed at a house: what it was given comes out, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from downstream import TABLES, Downstream, check_clock, contains, house_with_webhook
from lossy_proxy import LOST, lossy_proxy
from node_client import install, run_code, run_node

CALLS = yaml.safe_load((Path(__file__).parents[1] / "cases" / "clients" / "calls.yaml").read_text())


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Downstream]:
    install()
    with house_with_webhook(tmp_path_factory.mktemp("node-client")) as found:
        yield found


def send(host: str, calls: Sequence[dict[str, Any]], *, write_key: str, **settings: Any) -> list[dict[str, Any]]:
    """Make calls with a new client and return the messages that it queued. Raises AssertionError for a failure."""
    given = [{name: value for name, value in call.items() if name != "why"} for call in calls]
    said = run_node("send.mjs", {"writeKey": write_key, "host": host} | settings, given)
    assert [one["error"] for one in said] == [None] * len(calls)
    return [one["event"] for one in said]


def check_delivered(downstream: Downstream, call: dict[str, Any], message: dict[str, Any]) -> None:
    event = downstream.only(message["messageId"])
    contains(event, {name: value for name, value in call.items() if name not in ("why", "timestamp")})
    assert message["messageId"].startswith("node-next-")
    assert event["context"]["library"] == message["context"]["library"]
    assert event["context"]["library"]["name"] == "@segment/analytics-node"
    given, original = (datetime.fromisoformat(each) for each in (message["timestamp"], event["originalTimestamp"]))
    assert given == original
    check_clock(event)


@pytest.fixture(scope="module")
def sent(downstream: Downstream) -> list[dict[str, Any]]:
    return send(downstream.house.collect_url, CALLS, write_key=downstream.house.write_key)


@pytest.mark.parametrize("index", range(len(CALLS)), ids=[call["why"] for call in CALLS])
def test_a_call_of_the_node_client_arrives_as_it_was_made(
    downstream: Downstream, sent: list[dict[str, Any]], index: int
) -> None:
    check_delivered(downstream, CALLS[index], sent[index])


def test_every_call_of_the_node_client_is_archived_and_loaded_once(
    downstream: Downstream, sent: list[dict[str, Any]]
) -> None:
    downstream.settle()
    archived = downstream.archived()
    assert [archived[message["messageId"]] for message in sent] == [1] * len(sent)
    assert {message["type"] for message in sent} == set(TABLES)
    loaded = downstream.loaded(*TABLES)
    assert [loaded[message["messageId"]] for message in sent] == [1] * len(sent)


@pytest.mark.parametrize("mishaps", [(LOST,), (503,)], ids=["a lost answer", "a 503 after all"])
def test_what_the_node_client_repeats_arrives_once(downstream: Downstream, mishaps: tuple[int, ...]) -> None:
    with lossy_proxy(downstream.house.collect_url, *mishaps) as proxy:
        messages = send(proxy.url, CALLS[:4], write_key=downstream.house.write_key)
    assert [request.status for request in proxy.seen] == [*mishaps, 200]
    counts = [request.headers.get("x-retry-count") for request in proxy.seen]
    assert counts == [None, *(str(number + 1) for number in range(len(mishaps)))]
    downstream.settle()
    archived = downstream.archived()
    for call, message in zip(CALLS, messages, strict=False):
        check_delivered(downstream, call, message)
        assert archived[message["messageId"]] == 1


def test_a_page_of_the_node_client_has_its_category_among_the_properties_too(
    downstream: Downstream, sent: list[dict[str, Any]]
) -> None:
    [page] = [message for message in sent if message.get("category") == "Docs"]
    event = downstream.only(page["messageId"])
    assert (event["category"], event["properties"]["category"]) == ("Docs", "Docs")


def test_values_that_json_has_not_come_out_as_the_node_client_writes_them(downstream: Downstream) -> None:
    house = downstream.house
    [said] = run_node("odd.mjs", {"writeKey": house.write_key, "host": house.collect_url})
    assert said["error"] is None
    properties = downstream.only(said["event"]["messageId"])["properties"]
    contains(
        properties,
        {
            "notANumber": None,
            "endless": None,
            "minusZero": 0,
            "left": "(absent)",
            "when": "2024-03-01T10:00:00.123Z",
            "nul": "a\0b",
            "whole": "é 中 😀",
            "list": [1, None, None],
        },
    )
    assert properties["half"] in ("a\ufffdb", "a\ufffd\ufffdb")
    downstream.settle()
    assert downstream.loaded("track")[said["event"]["messageId"]] == 1


def test_a_house_behind_a_path_is_reached_with_the_path_option(downstream: Downstream) -> None:
    call = CALLS[2]
    [message] = send(downstream.house.collect_url, [call], write_key=downstream.house.write_key, path="/v1/import")
    check_delivered(downstream, call, message)


def test_the_example_on_the_page_for_people_works(downstream: Downstream) -> None:
    run_code(downstream.example("js", reader="reader-node"))
    assert [event["type"] for event in downstream.of_user("reader-node", 2)] == ["identify", "track"]
