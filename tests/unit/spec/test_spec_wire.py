"""JSON as clients really send it: read, mended or refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.spec import wire
from headwater.spec.errors import SenderError
from headwater.spec.limits import MAX_DEPTH

READ: dict[bytes, Any] = {
    b'{"a":NaN}': {"a": None},
    b'{"a":[Infinity,-Infinity,1.5]}': {"a": [None, None, 1.5]},
    b'{"a":1e400}': {"a": None},
    b'{"a":1e-400}': {"a": 0.0},
    b'{"a":"\\ud800"}': {"a": "\ufffd"},
    b'{"\\ud800":1}': {"\ufffd": 1},
    b'{"a":"\\ud83d\\ude00"}': {"a": "😀"},
    b'{"a":"\\ud83d\\ude00 \\ud83d"}': {"a": "😀 \ufffd"},
    b'\xef\xbb\xbf{"a":1}': {"a": 1},
    b'{"a":' + b"1" * 41 + b"}": {"a": int("1" * 41)},
    b'{"a":-' + b"9" * 41 + b"}": {"a": -int("9" * 41)},
    b'{"a":1,"a":2}': {"a": 2},
    b'{"a":NaN,"a":2}': {"a": 2},
    b' \n{"a":\t1} ': {"a": 1},
    b'["\\u0000"]': ["\0"],
    '{"a":"é😀"}'.encode(): {"a": "é😀"},
    b'"text"': "text",
    b"null": None,
}

REFUSED = [
    b"",
    b" ",
    b"{",
    b"{'a':1}",
    b'{"a":1,}',
    b'{"a":01}',
    b'{"a":1}x',
    b'{"a":"\x00"}',
    b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}',
    b"\xff\xfe{\x00}\x00",
    b"[" * 100_000,
    b'{"a":' + b"1" * 5_000 + b"}",
]


@pytest.mark.parametrize(("body", "value"), READ.items(), ids=lambda item: repr(item)[:40])
def test_what_clients_send_is_read(body: bytes, value: Any) -> None:
    assert wire.decode(body) == value


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: repr(body[:30]))
def test_what_no_reading_makes_json_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(SenderError) as refusal:
        wire.decode(body)
    assert str(refusal.value).endswith(".")
    assert refusal.value.status == 400


class Envelope(msgspec.Struct):
    batch: list[msgspec.Raw]


def test_a_typed_decoder_reads_mended_bodies_too() -> None:
    decoder = msgspec.json.Decoder(Envelope)
    found = wire.decode_as(b'{"batch":[{"a":NaN},{"b":1}]}', decoder)
    assert [bytes(item) for item in found.batch] == [b'{"a":null}', b'{"b":1}']


def test_a_body_of_another_shape_is_told_apart_from_a_body_that_is_no_json() -> None:
    decoder = msgspec.json.Decoder(Envelope)
    with pytest.raises(msgspec.ValidationError):
        wire.decode_as(b'{"batch":1}', decoder)
    with pytest.raises(msgspec.ValidationError):
        wire.decode_as(b'{"batch":NaN}', decoder)


def test_bytes_that_are_not_utf8_are_found_inside_raw_parts_as_well() -> None:
    with pytest.raises(SenderError, match="not UTF-8"):
        wire.decode_as(b'{"batch":[{"a":"\xff"}]}', msgspec.json.Decoder(Envelope))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_as_the_same(value: Any) -> None:
    assert wire.decode(wire.encode(value)) == value


@given(values)
def test_mending_json_changes_nothing(value: Any) -> None:
    assert wire.decode(wire.mend(wire.encode(value))) == value


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_a_lone_surrogate_is_written_as_the_replacement_character(text: str) -> None:
    written = wire.decode(wire.encode({"a": text}))["a"]
    assert "".join("\ufffd" if 0xD800 <= ord(sign) <= 0xDFFF else sign for sign in text) == written


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text('{}[]":,\\naNI019.-', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = wire.decode(body)
    except SenderError:
        return
    assert wire.decode(wire.encode(value)) == value


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(("levels", "deep"), [(1, False), (MAX_DEPTH, False), (MAX_DEPTH + 1, True), (5_000, True)])
def test_a_message_is_too_deep_beyond_the_limit(levels: int, deep: bool) -> None:
    assert wire.too_deep(nested(levels)) is deep


@pytest.mark.parametrize(
    "text",
    [b"[" * 500, b'\\"' + b"[" * 500, b"[" * 500 + b"\\\\", b'a\\\\\\"' + b"{" * 500, b"\\n" + b"[" * 500],
    ids=lambda text: repr(text[:8]),
)
def test_brackets_inside_text_do_not_nest(text: bytes) -> None:
    body = b'{"a":"' + text + b'","b":[1]}'
    msgspec.json.decode(body)
    assert not wire.too_deep(body)


@pytest.mark.parametrize("text", [b"\\\\", b"\\\\\\\\", b'\\"', b'\\\\\\"', b"a"], ids=repr)
def test_text_does_not_hide_the_depth_after_it(text: bytes) -> None:
    body = b'["' + text + b'",' + nested(500) + b',"' + text + b'"]'
    assert wire.too_deep(body)


def test_many_shallow_brackets_are_not_deep() -> None:
    assert not wire.too_deep(b"[" + b",".join([b"[{}]"] * 1_000) + b"]")


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(
    st.recursive(
        st.text('[]{}"\\a', max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('["\\'), inner),
    ),
    st.integers(80, 110),
)
def test_depth_is_counted_as_a_parser_would(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    assert wire.too_deep(wire.encode(value)) is (depth(value) > MAX_DEPTH)


def test_a_string_without_an_end_is_looked_through_once() -> None:
    """Were it sought again from each of its quotes, these bytes would take some hundred hours."""
    body = b"[" * 101 + b'"' + b'\\"' * 10_000_000
    assert wire.too_deep(body)
    assert not wire.too_deep(b'"' + b"[" * 101 + b"\\")
