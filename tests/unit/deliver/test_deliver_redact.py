"""Samples show what happened and nothing that is secret."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.deliver.redact import HIDDEN, SAMPLE_BYTES, cut, forms, redact, redacted, sample_request, sample_response
from headwater.spec.destination import Request, Response


def test_only_harmless_headers_show_their_value() -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Basic eHl6", "X-Signature": "abc", "Cookie": "d"}
    text = sample_request(Request("POST", "https://example.com/", headers, b"{}"), ())
    assert text.splitlines() == [
        "POST https://example.com/",
        "Content-Type: application/json",
        "Authorization: [redacted]",
        "X-Signature: [redacted]",
        "Cookie: [redacted]",
        "",
        "{}",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@example.com/", "https://[redacted]@example.com/"),
        ("https://user@example.com/", "https://[redacted]@example.com/"),
        ("see https://a:b@c.d/e and f@g.h", "see https://[redacted]@c.d/e and f@g.h"),
        ("https://e.com/?api_key=12&x=1", "https://e.com/?api_key=[redacted]&x=1"),
        ("https://e.com/?access_token=12", "https://e.com/?access_token=[redacted]"),
        ("https://e.com/?sig=12#key=3", "https://e.com/?sig=[redacted]#key=3"),
        ("https://e.com/?monkey=12", "https://e.com/?monkey=12"),
    ],
)
def test_credentials_in_urls_do_not_show(text: str, shown: str) -> None:
    assert redact(text, ()) == shown


@pytest.mark.parametrize("form", ['s/cr t+é"', "s%2Fcr%20t%2B%C3%A9%22", "s%2Fcr+t%2B%C3%A9%22", 's/cr t+é\\"'])
def test_a_secret_does_not_show_in_any_of_its_forms(form: str) -> None:
    assert redact(f"before {form} after", forms(['s/cr t+é"'])) == "before [redacted] after"


def test_an_answer_may_not_give_away_what_the_request_had_to_hide() -> None:
    request = Request("POST", "https://example.com/", {"X-Key": "top-secret"}, secrets=("top-secret",))
    assert "top-secret" not in sample_response(Response(200, {}, b"you said top-secret"), (), request)


@given(st.text(min_size=1, max_size=30), st.integers(0, 6_000))
def test_a_secret_does_not_show_wherever_it_stands(secret: str, at: int) -> None:
    body = ("\u00b7" * at + secret + "\u00b7" * 50).encode("utf-8", "replace")
    text = sample_request(Request("POST", "https://example.com/", {}, body), forms([secret]))
    assert len(text.encode()) <= SAMPLE_BYTES
    if len(secret.strip("\u00b7")) > 5 and secret not in "POST https://example.com/[redacted]":
        assert secret not in text


def test_a_dry_run_shows_the_request_without_its_secrets() -> None:
    request = Request("POST", "https://u:p@example.com/", {"Authorization": "x", "Accept": "y"}, b'{"k":"abc"}', 3.0)
    shown = redacted(request, forms(["abc"]))
    assert shown.url == "https://[redacted]@example.com/"
    assert shown.headers == {"Authorization": "[redacted]", "Accept": "y"}
    assert shown.body == b'{"k":"[redacted]"}'


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_is_never_longer_than_asked(text: str, size: int) -> None:
    assert len(cut(text, size).encode("utf-8", "replace")) <= max(size, 0)


def test_no_secret_hides_nothing() -> None:
    assert forms([""]) == ()


_PARTS = ("://", "@", "?", "&", "token=", "KEY=", "x_secret=", "sig=", "a", "b-", "/", " ", "#", '"', "=", ":", HIDDEN)


@given(st.lists(st.sampled_from(_PARTS), max_size=16).map("".join))
def test_what_is_told_in_urls_is_hidden_as_if_all_of_it_were_looked_for_at_once(text: str) -> None:
    names = r"[a-z_-]*(?:token|secret|password|signature|api_?key)|key|sig|auth"
    without_users = re.sub(r"(?<=://)[^/?#\s\"'@]*@", f"{HIDDEN}@", text)
    expected = re.sub(rf"(?i)([?&](?:{names})=)[^&#\s\"']+", rf"\1{HIDDEN}", without_users)
    assert redact(text, ()) == expected
