"""What a batch shares with its items stays within bounds, whatever the sender wrote."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.pipeline.unpack import Item, unpack
from headwater.spec.event import CollectedHeader
from headwater.spec.limits import MAX_MERGED_BYTES, MAX_MESSAGE_BYTES

HEADER = CollectedHeader("batch", "s1", "k1", 1_700_000_000_000, True, "", "", "")
ITEM = b'{"type":"track","event":"e","userId":"u"}'


def _unpacked(context: bytes, items: int) -> list[Item]:
    return unpack(HEADER, b'{"context":%s,"batch":[%s]}' % (context, b",".join([ITEM] * items)))


def test_a_batch_is_not_multiplied_by_its_context() -> None:
    items = _unpacked(b'{"x":"%s"}' % (b"a" * 20_000), 2_000)
    assert {(item.reason, item.body is None) for item in items} == {("message_too_large", True)}
    assert len(items) == 2_000


def test_a_context_larger_than_a_message_is_too_large_for_one() -> None:
    assert [item.reason for item in _unpacked(b'{"x":"%s"}' % (b"a" * 33_000), 1)] == ["message_too_large"]


def test_an_ordinary_context_goes_under_the_longest_batch() -> None:
    context = b'{"x":"%s"}' % (b"a" * 3_000)
    items = _unpacked(context, 2_500)
    assert all(item.body is not None and item.body["context"] == msgspec.json.decode(context) for item in items)
    assert 2_500 * len(context) < MAX_MERGED_BYTES


@pytest.mark.parametrize("context", [b'{"a":' * 150 + b"1" + b"}" * 150, b"[" * 900 + b"]" * 900, b"9" * 10_000])
def test_a_context_that_no_reader_should_meet_fails_the_items(context: bytes) -> None:
    assert [item.reason for item in _unpacked(context, 2)] == ["bad_request"] * 2


ODD = st.sampled_from(
    [None, 0, 1.5, 10**30, 10**400, float("nan"), float("inf"), "\ud800", "\0", "\u2028é", "x", [], {}]
)
TREE = st.recursive(
    ODD, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=2), below), max_leaves=9
)
LARGE = st.sampled_from(["a" * MAX_MESSAGE_BYTES, "é" * (MAX_MESSAGE_BYTES // 2)])
DEEP = st.sampled_from([json.loads("[" * depth + "]" * depth) for depth in (97, 98, 99, 100, 101, 120)])


@settings(max_examples=300, deadline=None)
@given(TREE | LARGE | DEEP, st.booleans())
def test_a_message_is_read_the_same_in_a_batch_as_alone(value: Any, ascii_only: bool) -> None:
    message = json.dumps({"type": "track", "event": "e", "userId": "u", "v": value}, ensure_ascii=ascii_only)
    raw = message.encode("utf-8", "replace")
    (alone,) = unpack(msgspec.structs.replace(HEADER, kind="track"), raw)
    (one,) = unpack(HEADER, b'{"batch":[%s]}' % raw)
    assert (one.body, one.reason) == (alone.body, alone.reason)
