"""Golden cases of the pipeline: a request in, events and outcomes out (tests/cases/pipeline)."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from headwater.eventlog import Chunk, Record
from headwater.pipeline.plan import compile_plan
from headwater.pipeline.process import Work, process
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.outcome import Step
from headwater.spec.timestamps import parse_moment
from headwater.spec.workspace import Source, Workspace

CASES = Path(__file__).parents[2] / "cases" / "pipeline"
RECEIVED = "2024-01-01T11:00:10.000Z"
WORKSPACE = Workspace(
    id="w",
    slug="w",
    name="W",
    version=1,
    sources=(
        Source(id="s1", slug="web", name="Web", write_keys=("k1",)),
        Source(id="off", slug="off", name="Off", enabled=False),
    ),
)


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['why']}")
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())
    ]


def run(case: dict[str, Any]) -> Work:
    request = case["request"]
    header = CollectedHeader(
        kind=request.get("kind", "track"),
        source_id=request.get("source", "s1"),
        write_key=request.get("writeKey", "k1"),
        received_at=parse_moment(request.get("receivedAt", RECEIVED)) or 0,
        direct=request.get("direct", False),
        ip=request.get("ip", ""),
        user_agent=request.get("userAgent", ""),
        refused=request.get("refused", ""),
    )
    if "raw" in request:
        value = request["raw"].encode()
    elif "base64" in request:
        value = base64.b64decode(request["base64"])
    else:
        value = msgspec.json.encode(request["body"])
    chunk = Chunk(7, [Record(b"", encode_header(header), value)])
    return process(chunk, compile_plan(WORKSPACE, ()), partition=0, now=0, find_duplicates=lambda ids, moments: set())


def contains(actual: Any, expected: Any, path: str = "") -> None:
    """Every key that the case names is there with that value; `absent: true` says that a key must not be there."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if value == "(absent)":
                assert key not in actual, f"{path}.{key} should be absent"
            else:
                assert key in actual, f"{path}.{key} is missing"
                contains(actual[key], value, f"{path}.{key}")
    else:
        assert actual == expected, path


@pytest.mark.parametrize("case", cases())
def test_a_request_becomes_what_the_case_says(case: dict[str, Any]) -> None:
    work = run(case)
    events = [msgspec.json.decode(record.value) for record in work.records]
    for record, event in zip(work.records, events, strict=True):
        assert decode_processed(record.header).happened_at == parse_moment(event["timestamp"])
    expected = case.get("events", [])
    assert len(events) == len(expected)
    for event, wanted in zip(events, expected, strict=True):
        contains(event, wanted)
    failed = [aside.reason for aside in work.outcomes.set_aside]
    assert failed == case.get("failed", [])
    for aside, word in zip(work.outcomes.set_aside, case.get("detail", []), strict=False):
        assert aside.detail.startswith(word)


@pytest.mark.parametrize("case", cases())
def test_the_books_of_every_case_balance(case: dict[str, Any]) -> None:
    sums = dict.fromkeys(Step, 0)
    for count in run(case).outcomes.counts:
        if not count.destination_id:
            sums[Step(count.step)] += count.events
    assert sums[Step.RECEIVED] > 0
    assert sums[Step.RECEIVED] == (
        sums[Step.FAILED_ON_INGEST] + sums[Step.DUPLICATE] + sums[Step.FILTERED_AT_SOURCE] + sums[Step.PROCESSED]
    )


@pytest.mark.parametrize("case", cases())
def test_the_same_request_makes_the_same_records_twice(case: dict[str, Any]) -> None:
    assert run(case).records == run(case).records


def test_the_header_tells_what_readers_filter_by() -> None:
    body = {"userId": "u1", "anonymousId": "a1", "event": "Order Completed", "messageId": "m1"}
    work = run({"request": {"body": body}})
    header = decode_processed(work.records[0].header)
    assert (header.type, header.name, header.message_id) == ("track", "Order Completed", "m1")
    assert (header.user_id, header.anonymous_id, header.source_id) == ("u1", "a1", "s1")
    assert work.records[0].key == b"u1"
