"""Files of people: what is wrong with a file, what its rows say, and that no file fills the memory."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest
import yaml

from headwater.profiles.uploads.rules import Check, calls, read_header
from headwater.spec.csv_upload import MAX_COLUMNS, MAX_FLAWS, MAX_ROW_CHARS
from headwater.spec.keys import is_stand_in
from headwater.spec.space import DEFAULT_TYPES, IdentifierType, Space

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "csv_uploads" / "files.yaml").read_text()
)
PEOPLE = Space(id="spa_1", slug="people", name="People")


def checked(file: BinaryIO, space: Space = PEOPLE, *, at_once: int = 3) -> Check:
    check = Check(file, space)
    while check.step(at_once):
        pass
    return check


def told(text: str, space: Space = PEOPLE, digest: str = "d") -> Iterator[tuple[int, Any]]:
    file = io.BytesIO(text.encode())
    columns = checked(file, space).columns
    assert columns is not None
    return calls(file, columns, space=space, digest=digest)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_a_file_is_taken_or_refused(case: dict[str, Any]) -> None:
    named = case.get("identifiers")
    space = PEOPLE if named is None else msgspec.structs.replace(PEOPLE, identifiers=tuple(map(_type, named)))
    check = checked(io.BytesIO(case["file"].encode()), space)
    wanted = case.get("flaws", [])
    assert [(one.row, one.column) for one in check.flaws] == [(one["row"], one.get("column", "")) for one in wanted]
    for flaw, want in zip(check.flaws, wanted, strict=True):
        assert want["says"] in flaw.message
    if wanted:
        return
    left_out: dict[int, str] = {}
    made: list[dict[str, Any]] = []
    ids: set[str] = set()
    for number, one in told(case["file"], space):
        if isinstance(one, str):
            left_out[number] = one
            continue
        body = json.loads(json.dumps(one))
        ids.add(body.pop("messageId"))
        made.append(_plain(body))
    assert (made, left_out) == (case["calls"], case.get("left_out", {}))
    assert len(ids) == len(made)


def _type(name: str) -> IdentifierType:
    return next(one for one in DEFAULT_TYPES if one.name == name)


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("anonymousId", "")
    if is_stand_in(found):
        return {**body, "anonymousId": "nobody"}
    return {**body, "anonymousId": "made"} if found.startswith("csv_") else body


def test_the_same_file_is_told_under_the_same_message_ids_and_another_under_others() -> None:
    def ids(space: Space = PEOPLE, digest: str = "d") -> list[str]:
        return [one["messageId"] for _, one in told("user_id,n\nu1,1\nu1,1\n", space, digest)]

    first = ids()
    assert ids() == first
    assert len({*first, *ids(digest="e"), *ids(msgspec.structs.replace(PEOPLE, id="spa_2"))}) == 6


def test_a_row_that_is_too_large_for_an_event_or_names_nobody_is_left_out() -> None:
    found = dict(told(f"user_id,n\nu1,{'x' * 32_700}\n{'u' * 501},1\nu3,{'x' * 32_000}\n"))
    assert (found[2], found[3]) == ("too_large", "identifier_too_long")
    assert found[4]["userId"] == "u3"


def test_as_many_columns_as_there_may_be_and_one_more() -> None:
    names = [f"t{place}" for place in range(MAX_COLUMNS)]
    assert not checked(io.BytesIO(f"{','.join(names)}\n{',' * (MAX_COLUMNS - 1)}\n".encode())).flaws
    (flaw,) = checked(io.BytesIO(f"{','.join([*names, 'more'])}\nx\n".encode())).flaws
    assert flaw.message.startswith("There are 300 columns")


def test_one_row_too_many_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.profiles.uploads.rules.MAX_ROWS", 2)
    assert not checked(io.BytesIO(b"user_id\nu1\nu2\n")).flaws
    (flaw,) = checked(io.BytesIO(b"user_id\nu1\nu2\nu3\nu4\n")).flaws
    assert flaw.message == "There are more than 2 rows. Split the file."


def test_empty_lines_without_end_are_not_read_to_the_end_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.profiles.uploads.reading.MAX_ROWS", 1_000)
    assert not checked(io.BytesIO(b"user_id\n" + b"\n" * 1_000 + b"u1\n")).flaws
    file = io.BytesIO(b"user_id\n" + b"\n" * 1_000_000 + b"u1\n")
    (flaw,) = checked(file).flaws
    assert flaw.message == "There are more than 1,000 empty lines. Remove them."
    assert file.tell() < 100_000


def test_what_is_not_utf_8_is_told_with_what_to_do() -> None:
    for raw in ("user_id,name\nu1,Zoë\n".encode("latin-1"), "user_id,name\nu1,x\n".encode("utf-16")):
        (flaw,) = checked(io.BytesIO(raw)).flaws
        assert "UTF-8" in flaw.message


def test_what_is_not_utf_8_is_told_with_its_row() -> None:
    raw = b"user_id,name\n" + b"u1,x\n" * 5_000 + "u2,Zoë\n".encode("latin-1") + b"u3,x\n" * 5_000
    (flaw,) = checked(io.BytesIO(raw)).flaws
    assert (flaw.row, flaw.message[:24]) == (5_002, "The file is not in UTF-8")


def test_so_much_is_told_of_a_file_in_which_everything_is_wrong() -> None:
    check = checked(io.BytesIO(b"user_id,a,b\n" + b"u1,\xf0\x9f\x8e\x89,\xf0\x9f\x8e\x89\n" * 1_000), at_once=100)
    assert len(check.flaws) == MAX_FLAWS
    assert check.rows < 1_000


@pytest.mark.parametrize(
    "row",
    [b'"' + b"x\n" * 4_000_000, b"," * 8_000_000, b'"\n",' * 2_000_000, b"x" * 8_000_000],
    ids=["an open quote", "one row of commas", "one row over many lines", "one cell"],
)
def test_a_row_without_end_does_not_fill_the_memory(row: bytes) -> None:
    file = io.BytesIO(b"user_id,n\n" + row)
    tracemalloc.start()
    try:
        check = checked(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert check.flaws[0].row == 2
    assert f"{MAX_ROW_CHARS:,}" in check.flaws[0].message
    assert peak < 16_000_000


def test_a_header_is_read_in_the_order_of_the_rules() -> None:
    columns = read_header(["plan", "anonymous_id", "email", "user_id"], PEOPLE)
    assert [name for name, _ in columns.identifiers] == ["user_id", "email", "anonymous_id"]
    assert columns.traits == (("plan", 0),)
