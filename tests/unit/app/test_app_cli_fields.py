"""From a request Struct to options, and from what was typed to path, query and body."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
import typer
from msgspec import UNSET, Meta, UnsetType

from headwater.app.commands.fields import fields, query, read_object, values
from headwater.manage.operation import Operation


class Page(msgspec.Struct, frozen=True, kw_only=True):
    count: int = 200
    cursor: str | None = None


class Label(msgspec.Struct, frozen=True):
    key: str
    value: str


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    thing_id: Annotated[str, Meta(description="The thing.")]
    slug: Annotated[str, Meta(min_length=1, description="Its short name.")]
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it is on.")] = UNSET
    shade: Literal["light", "dark"] = "light"
    settings: dict[str, Any] | UnsetType = UNSET
    labels: list[Label] = []
    scopes: list[str] = []
    since_minute: int | None = None
    from_: str = msgspec.field(default="now", name="from")
    pagination: Page = Page()


def an_operation(method: Any = "PATCH") -> Operation:
    async def run(desk: object, request: Change) -> Label:
        raise AssertionError

    return Operation(
        name="change_thing",
        method=method,
        path="/things/{thingId}",
        scope="things:write",
        status=200,
        tag="Things",
        sentence="Change a thing.",
        request=Change,
        answer=Label,
        run=run,
        changes=True,
        stream=False,
    )


def by_flag() -> dict[str, Any]:
    return {field.flag: field for field in fields(an_operation())}


def test_what_the_path_holds_comes_first_and_is_required():
    first, *others = fields(an_operation())
    assert (first.wire, first.in_path, first.required, first.sentence) == ("thingId", True, True, "The thing.")
    assert not any(field.in_path for field in others)


def test_options_are_named_and_typed_after_the_fields():
    found = by_flag()
    assert found["--slug"].required
    assert found["--enabled"].kind is bool
    assert not found["--enabled"].required
    assert found["--since-minute"].kind is int
    assert {one.value for one in found["--shade"].kind} == {"light", "dark"}
    assert found["--from"].wire == "from"


def test_the_page_of_a_list_is_two_options():
    found = by_flag()
    assert (found["--count"].wire, found["--cursor"].wire) == ("pagination.count", "pagination.cursor")


def test_what_was_not_typed_is_not_sent():
    made = fields(an_operation())
    assert values(made, {"thing_id": "t", "slug": "s", "enabled": None, "labels": []}) == {"thingId": "t", "slug": "s"}


def test_false_is_sent():
    assert values(fields(an_operation()), {"enabled": False}) == {"enabled": False}


def test_objects_are_read_from_pairs_and_json_and_later_ones_win():
    texts = ['{"url": "http://a", "n": 1}', "n=2", "name=plain words", 'quoted="3"', 'headers={"a": "b"}', "on=true"]
    assert read_object(texts, "--settings") == {
        "url": "http://a",
        "n": 2,
        "name": "plain words",
        "quoted": "3",
        "headers": {"a": "b"},
        "on": True,
    }


def test_an_equals_sign_may_stand_in_a_value():
    assert read_object(["url=http://h/?a=b"], "--settings") == {"url": "http://h/?a=b"}


def test_objects_are_read_from_a_file(tmp_path):
    (tmp_path / "settings.json").write_text('{"url": "http://a"}')
    assert read_object([f"@{tmp_path / 'settings.json'}"], "--settings") == {"url": "http://a"}


@pytest.mark.parametrize("text", ["words", "=1", "[1]", "{", "@missing.json"])
def test_what_is_no_object_is_a_usage_error(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.BadParameter):
        read_object([text], "--settings")


def test_lists_of_objects_are_one_json_list_or_an_object_an_option():
    made = fields(an_operation())
    one, two = {"key": "a", "value": "b"}, {"key": "c", "value": "d"}
    typed = [msgspec.json.encode([one]).decode(), msgspec.json.encode(two).decode()]
    assert values(made, {"labels": typed}) == {"labels": [one, two]}


def test_a_query_is_flat():
    given = {"pagination.count": 3, "on": True, "ids": ["a", "b"], "filter": {"name": "x"}, "nothing": None}
    assert query(given) == [
        ("pagination.count", "3"),
        ("on", "true"),
        ("ids[0]", "a"),
        ("ids[1]", "b"),
        ("filter.name", "x"),
    ]
