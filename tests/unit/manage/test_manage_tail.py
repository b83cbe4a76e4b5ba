"""Which events a reader of the live tail gets."""

import pytest

from headwater.eventlog import Chunk, Record
from headwater.manage.tail import Wanted, pick
from headwater.spec.event import ProcessedHeader, encode_header


def record(source: str, type: str, name: str, user: str, anonymous: str, body: bytes) -> Record:
    return Record(b"", encode_header(ProcessedHeader(source, type, name, "m", user, anonymous, 1)), body)


CHUNK = Chunk(
    10,
    [
        record("web", "track", "Order Completed", "u1", "", b'{"city":"Bern"}'),
        record("web", "page", "Home", "", "a1", b'{"city":"Basel"}'),
        record("app", "track", "Order Completed", "u2", "a1", b'{"city":"BERN"}'),
    ],
)


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (Wanted(), [10, 11, 12]),
        (Wanted(source_id="web"), [10, 11]),
        (Wanted(type="track"), [10, 12]),
        (Wanted(name="Home"), [11]),
        (Wanted(user="a1"), [11, 12]),
        (Wanted(user="u1"), [10]),
        (Wanted(text=b"bern"), [10, 12]),
        (Wanted(text=b"bern", source_id="app"), [12]),
        (Wanted(user="nobody"), []),
    ],
)
def test_a_reader_gets_what_was_asked_for_with_its_place(wanted: Wanted, positions: list[int]) -> None:
    assert [seen.position for seen in pick(0, CHUNK, wanted)] == positions
