"""No message stops the pipeline: a chunk that cannot be processed would be tried again for ever."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.eventlog import Chunk, Record
from headwater.pipeline.enrich import prepare
from headwater.pipeline.plan import compile_plan
from headwater.pipeline.process import process
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.outcome import Step
from headwater.spec.settings import PipelineSettings
from headwater.spec.timestamps import parse_moment
from headwater.spec.workspace import Source, Workspace

SOURCE = Source(id="s1", slug="web", name="Web", write_keys=("k1",))
PLAN = compile_plan(
    Workspace(id="w", slug="w", name="W", version=1, sources=(SOURCE,)), prepare(PipelineSettings(geoip_file="off"))
)
HEADER = encode_header(CollectedHeader("batch", "s1", "k1", 1_700_000_000_000, True, "1.2.3.4", "agent", ""))
FIELDS = (
    *("type", "event", "userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "sentAt", "context"),
    *("integrations", "properties", "traits", "groupId", "previousId", "name", "category", "channel", "_metadata"),
)
IN_CONTEXT = (
    *("ip", "userAgent", "page", "library", "campaign", "device", "os", "consent", "traits", "direct", "channel"),
    *("url", "name", "version", "search", "referrer", "bundled"),
)
ODD = st.sampled_from(
    [None, True, 0, -1.5, 2**63, 2**64, -(2**70), 10**400, "", "x", "\ud800", "\0", [], {}, [{}], {"": {}}]
)
TREE = st.recursive(ODD, lambda below: st.dictionaries(st.sampled_from(IN_CONTEXT), below, max_size=4), max_leaves=8)
WHOLE: dict[str, Any] = {"event": "e", "userId": "u", "groupId": "g", "previousId": "p"}
MESSAGE = st.builds(
    lambda kind, odd: {**WHOLE, "type": kind, **odd},
    st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]),
    st.dictionaries(st.sampled_from(FIELDS), TREE, max_size=4),
)


def account_of(body: bytes) -> tuple[int, int]:
    """Events received and events with an outcome; every published one can be read by those downstream."""
    chunk = Chunk(0, [Record(b"", HEADER, body)])
    work = process(chunk, PLAN, partition=0, now=1_700_000_000_000, find_duplicates=lambda ids, moments: set())
    for record in work.records:
        stamp = json.loads(record.value)["timestamp"]
        assert decode_processed(record.header).happened_at == parse_moment(stamp)
    counted = {Step(step): 0 for step in Step}
    for count in work.outcomes.counts:
        counted[Step(count.step)] += 0 if count.destination_id else count.events
    return counted[Step.RECEIVED], counted[Step.PROCESSED] + counted[Step.FAILED_ON_INGEST]


@given(MESSAGE, TREE, TREE)
@settings(max_examples=300, deadline=None)
def test_every_message_becomes_an_event_or_a_failure(message: Any, context: Any, integrations: Any) -> None:
    body = json.dumps({"batch": [message], "context": context, "integrations": integrations}).encode()
    assert account_of(body) == (1, 1)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": []},
        {"type": {"a": 1}},
        {"type": "track", "properties": {"id": 12345678901234567890123}},
        {"type": "identify", "name": 5},
        {"type": "group", "name": ["a"]},
        {"type": "alias", "name": 2**70},
    ],
)
def test_a_message_that_once_stopped_the_pipeline_does_not(odd: dict[str, Any]) -> None:
    assert account_of(json.dumps({"batch": [WHOLE | odd]}).encode()) == (1, 1)
