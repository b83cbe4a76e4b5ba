"""Scopes allow what they say and nothing beside."""

import pytest

from headwater.manage.scopes import allows, beyond, is_scope


@pytest.mark.parametrize(
    ("scopes", "wanted", "allowed"),
    [
        (("*",), "sources:write", True),
        (("sources:read",), "sources:read", True),
        (("sources:read",), "sources:write", False),
        (("sources:write",), "sources:read", True),
        (("*:read",), "events:read", True),
        (("*:read",), "sources:write", False),
        (("sources:write",), "destinations:read", False),
        ((), "workspace:read", False),
    ],
)
def test_a_scope_allows_what_it_says(scopes: tuple[str, ...], wanted: str, allowed: bool) -> None:
    assert allows(scopes, wanted) is allowed


def test_nobody_hands_on_more_than_they_hold() -> None:
    assert beyond(("tokens:write", "sources:read"), ["sources:read", "sources:write", "*"]) == ["sources:write", "*"]
    assert beyond(("*",), ["*", "*:read", "events:read"]) == []
    assert beyond(("*:read",), ["*:read"]) == []


@pytest.mark.parametrize("text", ["sources", "sources:admin", "*:write", "", "SOURCES:read", "sources:read "])
def test_what_has_not_the_form_of_a_scope_is_none(text: str) -> None:
    assert not is_scope(text)
