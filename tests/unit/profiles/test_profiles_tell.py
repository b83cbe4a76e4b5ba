"""When an event happened is in its header; what was written before that was so is asked of the event."""

import pytest

from headwater.eventlog import Record
from headwater.profiles.known import Mark, Told
from headwater.profiles.tell import tell
from headwater.spec.event import ProcessedHeader, encode_header

RECEIVED = 1_704_067_210_000
BODY = b'{"timestamp":"2024-01-01T00:00:05.000Z"}'


def moment(value: bytes, happened_at: int) -> int:
    header = ProcessedHeader("s", "track", "E", "m", "u", "", RECEIVED, "use_1", happened_at=happened_at)
    ((_, told),) = tell(Record(b"", encode_header(header), value), 7)
    return told.mark.at


def test_a_person_in_each_space_and_each_company_is_told_of_an_event() -> None:
    header = ProcessedHeader(
        "s", "group", "", "m", "u", "a", RECEIVED, "use_1", ("d",), ("w",), (("x", "use_1"), ("y", "")), ("acc_1",), 5
    )
    body = b'{"traits":{"plan":"pro"}}'
    person, company = tell(Record(b"", encode_header(header), body), 7)
    mark = Mark(5, RECEIVED, 7, "m", "s")
    assert person == ("use_1", Told(mark, "", None, ("acc_1",)))
    assert company == ("acc_1", Told(mark, "", {"plan": b'"pro"'}))


@pytest.mark.parametrize(
    ("value", "happened_at", "expected"),
    [
        (b"not opened", 1_704_067_201_000, 1_704_067_201_000),
        (b"not opened", RECEIVED + 1, RECEIVED),
        (BODY, 0, 1_704_067_205_000),
        (b'{"timestamp":"1970-01-01T00:00:00.000Z"}', 0, 0),
        (b"{}", 0, RECEIVED),
    ],
    ids=["said", "said to be in the future", "not said", "at the very beginning", "said nowhere"],
)
def test_an_event_happened_when_its_header_or_else_its_body_says(value: bytes, happened_at: int, expected: int) -> None:
    assert moment(value, happened_at) == expected
