"""Chunks are put together by destination, in order and at little cost."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.contracts.delivering import event_record
from headwater.deliver.fanout import fan_out
from headwater.eventlog import Chunk, Record
from headwater.spec.destination import Item
from headwater.spec.event import ProcessedHeader, decode_processed, encode_header


def chunk(*ids: tuple[str, ...], first: int = 10) -> Chunk:
    return Chunk(first, [event_record(f"m{number}", "s", each) for number, each in enumerate(ids)])


def test_destinations_of_the_same_events_share_one_list() -> None:
    shares = fan_out(chunk(("a", "b"), ("a", "b"), ("a", "b")))
    assert [share.destination_id for share in shares] == ["a", "b"]
    assert shares[0].items is shares[1].items
    assert [item.position for item in shares[0].items] == [10, 11, 12]


def test_events_stay_in_order_whatever_else_they_go_to() -> None:
    shares = fan_out(chunk(("a", "b"), ("a",), ("b", "a"), (), ("a",)))
    found = {share.destination_id: [item.message_id for item in share.items] for share in shares}
    assert found == {"a": ["m0", "m1", "m2", "m4"], "b": ["m0", "m2"]}


def test_an_event_for_nobody_is_nowhere() -> None:
    assert fan_out(chunk((), ())) == []


def headers() -> st.SearchStrategy[ProcessedHeader]:
    ids = st.lists(st.sampled_from("ABC"), unique=True).map(tuple)
    names = st.text(max_size=3)
    return st.builds(
        ProcessedHeader,
        st.sampled_from(("s", "t")),
        names,
        names,
        names,
        names,
        names,
        st.integers(0, 2**45),
        names,
        ids,
        ids,
        st.lists(st.tuples(names, names), max_size=2).map(tuple),
        ids,
        st.integers(0, 2**45),
    )


@given(st.lists(headers(), max_size=12), st.booleans())
def test_each_destination_gets_what_the_headers_say(found: list[ProcessedHeader], gaps: bool) -> None:
    places = [7 + 2 * number for number in range(len(found))]
    records = [Record(b"", encode_header(header), header.message_id.encode()) for header in found]
    wanted: dict[tuple[str, str], list[Item]] = {}
    for position, record in zip(places if gaps else range(7, 7 + len(found)), records, strict=True):
        header = decode_processed(record.header)
        item = Item(record.value, header.type, header.name, header.message_id, position, header.received_at)
        for each in header.destinations:
            wanted.setdefault((each, header.source_id), []).append(item)
    shares = fan_out(Chunk(7, records, places if gaps and places else None))
    assert {(share.destination_id, share.source_id): share.items for share in shares} == wanted
    assert len(shares) == len(wanted)


def test_a_header_of_a_time_that_knew_no_destinations_is_for_nobody() -> None:
    older = encode_header(("s", "track", "A", "m", "u", "", 1))
    assert fan_out(Chunk(0, [Record(b"", older, b"{}")])) == []
