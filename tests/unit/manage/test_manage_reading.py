"""Requests are read from every encoding that clients use, and all that is wrong is said at once."""

from typing import Annotated

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.paging import Pagination, page
from headwater.manage.problems import Refused
from headwater.manage.reading import read, unfold


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    key: str = ""
    version: int = 1


class Asked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    source_id: str
    metadata_id: str
    enabled: bool = True
    name: Annotated[str, Meta(max_length=5)] | UnsetType | None = UNSET
    user_ids: list[str] = []
    rules: list[Rule] = []
    pagination: Pagination = Pagination()


def ask(query: list[tuple[str, str]]) -> Asked:
    return read(Asked, {"sourceId": "s", "metadataId": "m", **unfold(query)}, strict=False)


@pytest.mark.parametrize(
    "query",
    [
        [("pagination.count", "3"), ("pagination.cursor", "Mw==")],
        [("pagination[count]", "3"), ("pagination[cursor]", "Mw==")],
    ],
    ids=["dots", "brackets"],
)
def test_pagination_is_read_with_dots_and_with_brackets(query: list[tuple[str, str]]) -> None:
    assert ask(query).pagination == Pagination(count=3, cursor="Mw==")


@pytest.mark.parametrize(
    "query",
    [
        [("userIds[0]", "a"), ("userIds[1]", "b")],
        [("userIds[1]", "b"), ("userIds[0]", "a")],
        [("userIds", "a"), ("userIds", "b")],
        [("userIds[]", "a"), ("userIds[]", "b")],
        [("userIds", "a,b")],
    ],
    ids=["indexed", "out of order", "repeated", "empty brackets", "commas"],
)
def test_lists_are_read_in_every_form(query: list[tuple[str, str]]) -> None:
    assert ask(query).user_ids == ["a", "b"]


def test_lists_of_objects_are_read_from_a_query() -> None:
    query = [
        ("rules[0][type]", "TRACK"),
        ("rules[0][key]", "X"),
        ("rules[0][version]", "2"),
        ("rules[1][type]", "PAGE"),
    ]
    assert ask(query).rules == [Rule(type="TRACK", key="X", version=2), Rule(type="PAGE")]


def test_all_problems_are_listed_together() -> None:
    with pytest.raises(Refused) as refused:
        read(Asked, {"enabled": "perhaps", "pagination": {"count": 0}, "name": "too long"}, strict=True)
    assert [problem.field for problem in refused.value.problems] == [
        "sourceId",
        "metadataId",
        "enabled",
        "name",
        "pagination.count",
    ]
    assert refused.value.problems[1].message == '"metadataId" is required'
    assert refused.value.status == 422


def test_a_missing_field_deep_inside_is_named_by_its_path() -> None:
    with pytest.raises(Refused) as refused:
        read(Asked, {"sourceId": "s", "metadataId": "m", "rules": [{"key": "X"}]}, strict=True)
    assert refused.value.problems[0].field == "rules[0].type"


def test_null_and_absence_differ_and_unknown_names_are_ignored() -> None:
    given = {"sourceId": "s", "metadataId": "m", "nobodyKnows": 1}
    assert read(Asked, given, strict=True).name is UNSET
    assert read(Asked, {**given, "name": None}, strict=True).name is None


@pytest.mark.parametrize("count", ["0", "1001", "abc", "-1", ""])
def test_a_count_outside_its_bounds_is_refused(count: str) -> None:
    with pytest.raises(Refused):
        ask([("pagination.count", count)])


@pytest.mark.parametrize("cursor", ["!!!", "YWJj", "Mw", "%00", "Ⅷ"])
def test_a_cursor_that_no_answer_gave_is_refused(cursor: str) -> None:
    with pytest.raises(Refused):
        page([1, 2, 3], Pagination(cursor=cursor))


def test_hostile_query_names_do_no_harm() -> None:
    assert unfold([("a[0]", "x"), ("a[b]", "y"), ("a", "z"), ("[", "q"), ("", "e")])
    assert unfold([(f"{'a[b]' * 1000}", "deep")])


def test_pages_add_up_to_the_list() -> None:
    entries = list(range(7))
    seen: list[int] = []
    cursor = None
    while True:
        some, place = page(entries, Pagination(count=3, cursor=cursor))
        assert (place.previous is None) == (cursor is None)
        assert place.total_entries == 7
        seen += some
        if place.next is None:
            break
        cursor = place.next
    assert seen == entries


def test_a_name_that_is_repeated_costs_no_more_than_its_length() -> None:
    """Were the list copied for each value, this would take minutes."""
    assert unfold([("a", "x")] * 300_000) == {"a": ["x"] * 300_000}
    assert unfold([("a[]", "x")] * 300_000) == {"a": ["x"] * 300_000}


def test_a_number_that_is_no_place_in_a_list_is_a_name() -> None:
    assert unfold([(f"a[{'9' * 5_000}]", "x")]) == {"a": {"9" * 5_000: "x"}}
