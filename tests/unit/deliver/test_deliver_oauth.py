"""What vendors are asked, and what their answers mean."""

import json
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from headwater.deliver.oauth import (
    authorize_address,
    code_request,
    read_tokens,
    refresh_request,
    revoke_request,
)
from headwater.spec.destination import NoAnswer, Request, Response
from headwater.spec.oauth import OAuthApp, merge
from headwater.spec.vendors import OWN_CREDENTIALS, VENDORS, known

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""Of RFC 7636, appendix B."""

APP = OAuthApp(
    client_id="id",
    client_secret="s&cret",
    authorize_url="https://v.example/authorize",
    token_url="https://v.example/token",
    revoke_url="https://v.example/revoke",
    scopes=("a", "b"),
    parameters={"prompt": "consent", "state": "overridden"},
)


def answered(status: int, body: object, app: OAuthApp = APP) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def refused(response: Response, request: Request | None = None) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        read_tokens(APP, request or refresh_request(APP, "rt"), response, 0)
    return caught.value


def test_the_browser_is_sent_with_a_challenge_and_nothing_of_the_operator_replaces_the_state() -> None:
    address = authorize_address(APP, state="st", redirect_url="https://h.example/cb?x=1", verifier=VERIFIER)
    asked = parse_qs(urlsplit(address).query)
    assert asked["state"] == ["st"]
    assert asked["scope"] == ["a b"]
    assert asked["prompt"] == ["consent"]
    assert asked["redirect_uri"] == ["https://h.example/cb?x=1"]
    assert asked["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert "client_secret" not in asked


def test_a_code_is_exchanged_with_its_verifier_and_secrets_do_not_show() -> None:
    request = code_request(APP, code="c", redirect_url="https://h/cb", verifier="v")
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://h/cb",
        "code_verifier": "v",
        "client_id": "id",
        "client_secret": "s&cret",
    }
    assert set(request.secrets) == {"s&cret", "c"}


def test_an_app_may_be_named_in_a_header_instead() -> None:
    request = refresh_request(merge(APP, {"clientAuthentication": "header"}), "rt")
    assert request.headers["Authorization"] == "Basic aWQ6cyUyNmNyZXQ="
    assert b"secret" not in request.body


def test_without_a_refresh_token_the_app_asks_for_itself() -> None:
    asked = dict(parse_qsl(refresh_request(APP, "").body.decode()))
    assert asked["grant_type"] == "client_credentials"
    assert asked["scope"] == "a b"


def test_a_vendor_with_words_of_its_own_is_asked_in_them() -> None:
    tiktok = merge(known("actions-tiktok-audiences"), {"clientId": "id", "clientSecret": "hush-hush"})
    request = code_request(tiktok, code="c0de", redirect_url="https://h/cb", verifier="v")
    asked = json.loads(request.body)
    assert (asked["app_id"], asked["secret"], asked["auth_code"]) == ("id", "hush-hush", "c0de")
    answer = answered(200, {"code": 0, "data": {"access_token": "at"}})
    assert read_tokens(tiktok, request, answer, 0).tokens == {"access_token": "at"}
    with pytest.raises(NoAnswer, match="Auth code is invalid"):
        read_tokens(tiktok, request, answered(200, {"code": 40105, "message": "Auth code is invalid"}), 0)


def test_tokens_come_with_the_moment_at_which_they_end() -> None:
    answer = answered(200, {"access_token": "at", "refresh_token": "rt", "expires_in": "60"})
    granted = read_tokens(APP, refresh_request(APP, "x"), answer, 1_000)
    assert granted.tokens == {"access_token": "at", "refresh_token": "rt"}
    assert granted.expires_at == 61_000
    assert read_tokens(APP, refresh_request(APP, "x"), answered(200, {"access_token": "at"}), 1_000).expires_at == 0


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_vendor_that_is_away_refuses_nothing(status: int) -> None:
    assert refused(answered(status, {"error": "server_error"})).reason == "UNREACHABLE"


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (answered(400, {"error": "invalid_grant"}), "no longer accepts this authorization"),
        (answered(401, {"error": "invalid_client"}), "does not know the app"),
        (answered(200, {"ok": False}), "gave no tokens"),
        (answered(200, b"\xff<html>"), "gave no tokens"),
        (answered(200, {"access_token": "two\r\nlines"}), "gave no tokens"),
        (answered(302, b""), "gave no tokens"),
    ],
)
def test_a_refusal_is_one_and_says_what_it_means(response: Response, said: str) -> None:
    error = refused(response)
    assert error.reason == "UNAUTHORIZED"
    assert said in error.detail


def test_what_a_vendor_says_is_shown_without_our_secrets() -> None:
    said = {"error": "invalid_grant", "error_description": "no such token: rt-very-secret with s&cret"}
    error = refused(answered(400, said), refresh_request(APP, "rt-very-secret"))
    assert "no such token" in error.detail
    assert "very-secret" not in error.detail
    assert "s&cret" not in error.detail


def test_taking_back_names_the_token() -> None:
    request = revoke_request(APP, "rt")
    assert request.url == "https://v.example/revoke"
    assert dict(parse_qsl(request.body.decode()))["token"] == "rt"


def test_what_is_known_of_vendors_is_whole() -> None:
    for definition, app in VENDORS.items():
        assert definition not in OWN_CREDENTIALS
        assert not app.client_id
        for url in (app.authorize_url, app.token_url, app.revoke_url):
            assert url == "" or url.startswith("https://")
