"""Readers that open a part of an event's header find in it what the pipeline wrote."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.deliver import fanout
from headwater.profiles import tell
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.warehouse import headers

MOMENTS = st.integers(0, 2**63 - 1)
WHOLE = st.builds(ProcessedHeader, received_at=MOMENTS, happened_at=MOMENTS)
PARTS: list[type[msgspec.Struct]] = [fanout.Header, tell.Header, headers.Header]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__module__)
def test_the_fields_of_a_part_are_the_first_of_the_whole(part: type[msgspec.Struct]) -> None:
    mine = part.__struct_fields__
    assert mine == ProcessedHeader.__struct_fields__[: len(mine)]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__module__)
@given(whole=WHOLE)
def test_a_part_says_what_the_whole_says(part: type[msgspec.Struct], whole: ProcessedHeader) -> None:
    read = msgspec.msgpack.decode(encode_header(whole), type=part)
    for field in part.__struct_fields__:
        said = getattr(read, field)
        expected = getattr(whole, field)
        if isinstance(said, msgspec.Raw):
            said = msgspec.msgpack.decode(said, type=type(expected))
        assert said == expected
