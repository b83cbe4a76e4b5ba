"""What differs between two sets of requests, by request and place."""

import json
from typing import Any

from headwater.manage.attempting import Shown
from headwater.manage.comparing import MOST, compare


def request(body: Any = None, *, method: str = "POST", url: str = "http://a.test/", **headers: str) -> Shown:
    return Shown(method, url, headers, json.dumps(body).encode())


def places(first: list[Shown], second: list[Shown], *ignored: str) -> list[tuple[int, str, str, Any, Any]]:
    found = compare(first, second, ignored)
    return [(one.request, one.where, one.path, one.first, one.second) for one in found]


def test_equal_requests_belong_together_wherever_they_stand() -> None:
    one, other = request({"a": 1}), request({"a": 2})
    assert places([one, other], [other, one]) == []
    assert places([one], [other, one]) == [(1, "request", "", None, "POST http://a.test/")]


def test_method_url_headers_and_places_in_the_body_are_told() -> None:
    first = request({"a": {"b": [1, {"c": 2}]}, "x": 1}, Accept="json", token="[redacted]")
    second = request({"a": {"b": [1, {"c": "2"}, 3]}}, method="PUT", url="http://b.test/", ACCEPT="xml")
    assert places([first], [second]) == [
        (0, "method", "", "POST", "PUT"),
        (0, "url", "", "http://a.test/", "http://b.test/"),
        (0, "header", "accept", "json", "xml"),
        (0, "header", "token", "[redacted]", None),
        (0, "body", "a.b[1].c", 2, "2"),
        (0, "body", "a.b[2]", None, 3),
        (0, "body", "x", 1, None),
    ]


def test_true_is_not_one_and_what_is_no_json_is_text() -> None:
    assert places([request({"a": True})], [request({"a": 1})]) == [(0, "body", "a", True, 1)]
    assert places([request("x")], [Shown("POST", "http://a.test/", {}, b"\xff<")]) == [(0, "body", "", "x", "\ufffd<")]


def test_places_may_be_ignored_by_their_name_or_their_path() -> None:
    first, second = ([request({"batch": [{"sentAt": at, "id": at}]})] for at in (1, 2))
    for ignored in ("sentAt", "batch[].sentAt", "batch[0].sentAt"):
        assert places(first, second, ignored) == [(0, "body", "batch[0].id", 1, 2)]
    assert places(first, second, "sentAt", "id") == []


def test_no_more_than_fifty_places_are_told() -> None:
    first, second = ([request(dict.fromkeys(map(str, range(100)), value))] for value in (1, 2))
    assert len(compare(first, second)) == MOST
