"""Where a request goes on to, and what comes along."""

import pytest

from headwater.deliver.redirect import redirected
from headwater.spec.destination import Request, Response

SECRET = "k3y"
REQUEST = Request(
    "POST",
    "https://user:pass@tool.example/in?x=1",
    headers={
        "Authorization": f"Bearer {SECRET}",
        "Cookie": "a=b",
        "X-Api-Key": f"key={SECRET}",
        "Content-Type": "text/plain",
        "X-Kept": "1",
    },
    body=b"hello",
    secrets=(SECRET,),
)


def follow(status: int, location: str, **changed: object) -> Request | None:
    request = Request(**({name: getattr(REQUEST, name) for name in REQUEST.__struct_fields__} | changed))
    return redirected(request, Response(status, {"location": location}))


@pytest.mark.parametrize("status", [200, 300, 304, 400])
def test_an_answer_that_is_no_redirect_leads_nowhere(status: int) -> None:
    assert follow(status, "/other") is None


def test_a_redirect_without_a_place_leads_nowhere() -> None:
    assert redirected(REQUEST, Response(302)) is None
    assert follow(302, "http://[::1") is None


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_a_get_without_its_body(status: int) -> None:
    following = follow(status, "/other")
    assert following is not None
    assert (following.method, following.body) == ("GET", b"")
    assert "Content-Type" not in following.headers
    assert following.headers["X-Kept"] == "1"


@pytest.mark.parametrize("status", [307, 308])
def test_a_temporary_redirect_keeps_the_method_and_the_body(status: int) -> None:
    following = follow(status, "https://tool.example/other")
    assert following is not None
    assert (following.method, following.body, following.url) == ("POST", b"hello", "https://tool.example/other")


def test_within_an_origin_everything_comes_along() -> None:
    following = follow(307, "other")
    assert following is not None
    assert following.headers == REQUEST.headers
    assert following.url == "https://user:pass@tool.example/other"


@pytest.mark.parametrize(
    "location",
    ["https://other.example/", "//other.example/", "http://tool.example/in", "https://tool.example:8443/in"],
)
def test_another_origin_gets_no_credentials_and_no_header_with_a_secret(location: str) -> None:
    following = follow(307, location)
    assert following is not None
    assert following.headers == {"Content-Type": "text/plain", "X-Kept": "1"}
    assert "pass" not in following.url


def test_a_body_with_a_secret_goes_to_no_other_origin() -> None:
    assert follow(308, "https://other.example/", body=f'{{"key":"{SECRET}"}}'.encode()) is None
    assert follow(308, "/other", body=f'{{"key":"{SECRET}"}}'.encode()) is not None


def test_a_head_stays_a_head() -> None:
    following = follow(303, "/other", method="HEAD")
    assert following is not None
    assert following.method == "HEAD"
