"""Requests as each client really sends them, posted byte for byte to a running house (tests/cases/clients).

Each is answered exactly 200 with a JSON object, and comes out as its case says; nothing else comes out at all. Bodies
that are too large or not JSON are answered 400 with what each client reads.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from downstream import PROBE, Downstream, before_receipt, contains, house_with_webhook

from headwater.contracts.house import WRITE_KEY

FOLDER = Path(__file__).parents[1] / "cases" / "clients"
BEFORE = "(before receipt)"
_CHUNK = 700


def read_cases() -> list[tuple[str, dict[str, Any]]]:
    """Every case with its name. The calls are not requests: they are made by clients that run."""
    files = [file for file in sorted(FOLDER.glob("*.yaml")) if file.stem != "calls"]
    return [(f"{file.stem}: {case['why']}", case) for file in files for case in yaml.safe_load(file.read_text())]


CASES = read_cases()
_KEYS = {
    "basic": {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()},
    "bare": {"Authorization": "Basic " + base64.b64encode(WRITE_KEY.encode()).decode()},
    "body": {},
    "none": {},
}


def body_of(request: dict[str, Any]) -> bytes:
    body = request["body"].replace("${KEY}", WRITE_KEY).encode()
    if request.get("bom"):
        body = b"\xef\xbb\xbf" + body
    return gzip.compress(body) if request.get("gzip") else body


def post(url: str, path: str, body: bytes | Iterable[bytes], headers: dict[str, str]) -> tuple[int, Any, bytes]:
    """POST with these headers and no others; a body in pieces is sent chunked. Returns status, headers and body."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.putrequest("POST", path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        else:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(body, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def send_case(url: str, request: dict[str, Any]) -> tuple[int, Any, bytes]:
    headers = _KEYS[request["key"]] | request["headers"]
    body = body_of(request)
    if request.get("gzip"):
        headers["Content-Encoding"] = "gzip"
    if request.get("chunked"):
        return post(url, request["path"], (body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)), headers)
    return post(url, request["path"], body, headers)


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Downstream]:
    with house_with_webhook(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture(scope="module")
def answers(downstream: Downstream) -> list[tuple[int, Any, bytes]]:
    """Every case is sent once, in the order of the files, and has come out before the first is looked at."""
    found = [send_case(downstream.house.collect_url, case["request"]) for _, case in CASES]
    downstream.settle()
    return found


@pytest.mark.parametrize("index", range(len(CASES)), ids=[name for name, _ in CASES])
def test_the_request_is_answered_200_with_an_object(answers: list[tuple[int, Any, bytes]], index: int) -> None:
    status, headers, body = answers[index]
    assert status == 200
    assert isinstance(json.loads(body), dict)
    assert headers["Content-Type"].startswith("application/json")
    for name, value in CASES[index][1].get("answer", {}).items():
        assert headers[name] == value


@pytest.mark.parametrize("index", range(len(CASES)), ids=[name for name, _ in CASES])
def test_the_request_comes_out_as_the_case_says(
    downstream: Downstream, answers: list[tuple[int, Any, bytes]], index: int
) -> None:
    for expected in CASES[index][1]["events"]:
        event = downstream.only(expected["messageId"])
        contains(event, {name: value for name, value in expected.items() if name != BEFORE})
        if BEFORE in expected:
            assert before_receipt(event).total_seconds() == pytest.approx(expected[BEFORE], abs=1e-6)


def of_the_cases(counts: dict[str, int]) -> dict[str, int]:
    """Counts by messageId without those of probes and of large batches, which are no cases."""
    return {name: count for name, count in counts.items() if not name.startswith((PROBE, "large-"))}


def test_nothing_else_comes_out(downstream: Downstream, answers: list[tuple[int, Any, bytes]]) -> None:
    sent_on = [event["messageId"] for _, case in CASES for event in case["events"]]
    kept = [message_id for _, case in CASES for message_id in case.get("kept", ())]
    assert len(set(sent_on + kept)) == len(sent_on + kept), "each messageId stands in one case"
    delivered = {name: len(events) for name, events in downstream.delivered().items()}
    assert of_the_cases(delivered) == dict.fromkeys(sent_on, 1)
    assert of_the_cases(downstream.archived()) == dict.fromkeys(sent_on + kept, 1)


def large_batch(size: int, item_size: int, name: str) -> bytes:
    """A batch of exactly `size` bytes with items of about `item_size` bytes."""
    envelope = b'{"batch":[%s],"sentAt":"2024-03-01T10:00:00.000Z"}'
    items: list[bytes] = []
    left = size - len(envelope % b"")
    while left > 0:
        head = b'{"type":"track","userId":"u","event":"Large","messageId":"large-%s-%d","properties":{"p":"%s"}}'
        bare = len(head % (name.encode(), len(items), b"")) + (1 if items else 0)
        take = left - bare if left < item_size + 2 * bare else item_size - bare
        items.append(head % (name.encode(), len(items), b"x" * take))
        left -= take + bare
    return envelope % b",".join(items)


@pytest.mark.parametrize(
    ("size", "client"),
    [(506_125, "python"), (504_899, "ruby"), (485_747, "node"), (512_000, "limit")],
)
def test_the_largest_batches_that_clients_send_arrive_whole(downstream: Downstream, size: int, client: str) -> None:
    body = large_batch(size, 31_000, client)
    assert len(body) == size
    headers = _KEYS["basic"] | {"Content-Type": "application/json"}
    status, _, answer = post(downstream.house.collect_url, "/v1/batch", body, headers)
    assert (status, json.loads(answer)["success"]) == (200, True)
    for item in json.loads(body)["batch"]:
        assert downstream.only(item["messageId"])["properties"] == item["properties"]


TOO_LARGE = b'{"batch":[{"type":"track","userId":"u","event":"E","properties":{"p":"%s"}}]}'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/batch", TOO_LARGE % (b"x" * 614_740)),
        ("/v1/batch", b'{"batch":[{"type":"track"'),
        ("/v1/import", b"batch=1&writeKey=k"),
        ("/v1/batch", b'{"batch":{}}'),
        ("/v1/b", b"[]"),
        ("/v1/track", b'{"userId":"u","event":"E","properties":{"p":"%s"}}' % (b"x" * 33_000)),
    ],
    ids=["what analytics-node lets through", "cut off", "a form", "a batch that is none", "an array", "one large call"],
)
def test_a_refusal_says_what_each_client_reads(downstream: Downstream, path: str, body: bytes) -> None:
    headers = _KEYS["basic"] | {"Content-Type": "application/json"}
    status, _, answer = post(downstream.house.collect_url, path, body, headers)
    refusal = json.loads(answer)
    assert status == 400
    assert refusal["success"] is False
    assert all(isinstance(refusal[name], str) and refusal[name] for name in ("code", "message", "error"))


def test_a_large_item_is_lost_alone(downstream: Downstream) -> None:
    large = {
        "type": "track",
        "userId": "u",
        "event": "E",
        "messageId": "large-alone",
        "properties": {"p": "x" * 33_000},
    }
    small = {"type": "track", "userId": "u", "event": "E", "messageId": "large-neighbour"}
    status, answer = downstream.house.send("/v1/batch", {"batch": [large, small]})
    assert (status, answer["success"]) == (200, True)
    downstream.only("large-neighbour")
    downstream.settle()
    assert downstream.archived()["large-alone"] == 0


def test_one_connection_serves_many_requests_of_every_outcome(downstream: Downstream) -> None:
    place = urlsplit(downstream.house.collect_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    headers = _KEYS["basic"] | {"Content-Type": "application/json"}
    statuses: list[int] = []
    try:
        for body in (b'{"batch":[]}', b"not json", TOO_LARGE % (b"x" * 600_000), b'{"batch":[]}'):
            connection.request("POST", "/v1/batch", body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    finally:
        connection.close()
    assert statuses == [200, 400, 400, 200]


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(downstream: Downstream) -> None:
    """libcurl, which PHP's client uses, asks so when a body is large."""
    place = urlsplit(downstream.house.collect_url)
    body = large_batch(400_000, 31_000, "asked")
    head = (
        f"POST /v1/batch?from=php HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: {_KEYS['basic']['Authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
        "Connection: close\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    for item in json.loads(body)["batch"]:
        downstream.only(item["messageId"])
