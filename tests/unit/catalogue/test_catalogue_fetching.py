"""A worker's fetch becomes a request of ours, unless it would go where nobody should."""

import msgspec
import pytest

from headwater.catalogue import fetching, frames
from headwater.spec.destination import NoAnswer


def fetch(url: str) -> frames.Fetch:
    said = {"id": 1, "d": 2, "method": "POST", "url": url, "headers": [["A", "1"], ["A", "2"]], "body": "x"}
    return msgspec.convert({**said, "b64": False, "timeout_ms": 1_000, "redirect": "follow"}, frames.Fetch)


def test_a_fetch_is_a_request() -> None:
    made = fetching.request(fetch("https://vendor.test/hook"), 5.0)
    assert (made.method, made.url, made.headers, made.body) == ("POST", "https://vendor.test/hook", {"A": "1, 2"}, b"x")


def test_an_address_that_was_never_filled_in_gets_nothing() -> None:
    with pytest.raises(NoAnswer) as refused:
        fetching.request(fetch("https://www.example.com/oauth/refresh"), 5.0)
    assert refused.value.reason == "INVALID_SETTINGS"
