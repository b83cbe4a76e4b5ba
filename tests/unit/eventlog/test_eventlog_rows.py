"""How records are cut into rows, and what is refused before anything is written."""

import pytest

from headwater.eventlog import Append, Commit, Record
from headwater.eventlog.refusals import check_partition, volume_of
from headwater.eventlog.segments import ROW_BYTES, ROW_RECORDS, decode_row, pack
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED


def records(count: int, size: int) -> list[Record]:
    return [Record(b"k", b"h", b"%06d" % number + b"x" * size) for number in range(count)]


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 0), (1, 5_000_000), (999, 10), (2_500, 10), (300, 30_000)])
def test_rows_hold_the_records_in_order(count: int, size: int) -> None:
    given = records(count, size)
    rows = list(pack(given))
    assert [record for _, payload in rows for record in decode_row(payload)] == given
    assert [length for length, _ in rows] == [len(decode_row(payload)) for _, payload in rows]


def test_rows_stay_small_enough_to_be_opened_for_one_record() -> None:
    for count, size in ((5_000, 10), (1_000, 20_000), (50, 900_000)):
        for length, payload in pack(records(count, size)):
            assert length <= ROW_RECORDS
            assert len(payload) <= 2 * ROW_BYTES or length == 1


def test_a_large_record_among_small_ones_does_not_end_the_cutting() -> None:
    given = [*records(400, 10), *records(1, 9_000_000), *records(400, 10)]
    assert [record for _, payload in pack(given) for record in decode_row(payload)] == given


def test_a_transaction_belongs_to_one_volume() -> None:
    assert volume_of([Append(PROCESSED, []), Append(OUTCOMES, [])], []) == "processed"
    assert volume_of([Append(COLLECTED, [])], []) == "collected"
    assert volume_of([], [Commit("g", COLLECTED, 1)]) == "processed"
    with pytest.raises(ValueError, match="collected, processed"):
        volume_of([Append(COLLECTED, [])], [Commit("g", COLLECTED, 1)])


def test_a_partition_that_is_not_there_is_refused() -> None:
    check_partition(1, range(2))
    with pytest.raises(ValueError, match="partitions 0 to 1, not 2"):
        check_partition(2, range(2))
