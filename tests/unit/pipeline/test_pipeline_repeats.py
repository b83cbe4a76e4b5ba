"""A record that the log holds twice, as one may that was spilled while the log was away, leads to each event once."""

from headwater.eventlog import Chunk, Record
from headwater.pipeline.plan import compile_plan
from headwater.pipeline.process import process
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.workspace import Source, Workspace

AT = 1_700_000_000_000
BODY = b'{"batch":[{"type":"track","event":"E","userId":"u"},{"type":"track","event":"E","userId":"u"}]}'
SOURCES = (Source(id="s1", slug="web", name="Web", write_keys=("k1",)),)


def ids_of(*requests: str) -> list[str]:
    """The message ids that the events of records with these marks get, which name none themselves."""
    headers = [encode_header(CollectedHeader("batch", "s1", "k1", AT, request=request)) for request in requests]
    work = process(
        Chunk(0, [Record(b"", header, BODY) for header in headers]),
        compile_plan(Workspace(id="w", slug="w", name="W", version=1, sources=SOURCES), ()),
        partition=0,
        now=AT,
        find_duplicates=lambda ids, moments: set(),
    )
    return [decode_processed(record.header).message_id for record in work.records]


def test_events_without_a_message_id_get_the_same_one_from_a_repeated_record() -> None:
    first = ids_of("a")
    assert len(set(first)) == 2
    assert ids_of("b", "a")[2:] == first
    assert not set(ids_of("b")) & set(first)


def test_alike_requests_of_one_moment_are_several_where_nothing_marks_them() -> None:
    assert len(set(ids_of("", ""))) == 4
