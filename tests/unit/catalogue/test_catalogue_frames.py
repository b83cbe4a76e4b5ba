"""The lines of the pipe, requests made of them, and who is under suspicion."""

from base64 import b64encode

import msgspec
import pytest

from headwater.catalogue import fetching, frames
from headwater.catalogue.asking import Refused, refusal, said
from headwater.catalogue.calls import Call
from headwater.catalogue.suspects import Suspects
from headwater.spec.destination import NoAnswer, Response
from headwater.spec.errors import HeadwaterError, Unavailable

FETCH = frames.Fetch(
    id=3,
    d=1,
    method="PUT",
    url="https://tool.example/",
    headers=[("a", "1"), ("a", "2")],
    body="héllo",
    b64=False,
    timeout_ms=10_000,
    redirect="follow",
)


def call(*events: dict[str, object] | bytes, destination: str = "d") -> Call:
    return Call(destination=destination, action="a", trigger="t", mapping={}, settings={}, events=events)


def test_every_line_is_one_line() -> None:
    line = frames.write("ping", id=1, text="a\nb\u2028c")
    assert line.count(b"\n") == 1
    assert frames.body(b'{"a":\n 1}') == b'{"a":1}'
    assert frames.body(b'{"a":1}') == b'{"a":1}'
    assert frames.body({"a": "\ud800"}) == '{"a":"\ufffd"}'.encode()


def test_a_line_with_a_lone_surrogate_is_read() -> None:
    frame = frames.read(b'{"t":"log","level":"error","m":"\\ud800"}')
    assert frame == frames.Log("error", "\ufffd")


@pytest.mark.parametrize("line", [b"hello", b"{}", b'{"t":"nothing"}', b'{"t":"pong"}', b"\xff"])
def test_what_is_no_frame_is_refused(line: bytes) -> None:
    with pytest.raises((HeadwaterError, msgspec.ValidationError)):
        frames.read(line)


def test_a_fetch_becomes_a_request() -> None:
    request = fetching.request(FETCH, 30.0, ("secret",))
    assert (request.method, request.url, request.body) == ("PUT", "https://tool.example/", "héllo".encode())
    assert request.headers == {"a": "1, 2"}
    assert (request.timeout, request.redirects, request.secrets) == (10.0, 20, ("secret",))
    assert fetching.request(FETCH, 2.5).timeout == 2.5
    replaced = msgspec.structs.replace
    assert fetching.request(replaced(FETCH, timeout_ms=0), 30.0).timeout == 30.0
    assert fetching.request(replaced(FETCH, redirect="manual"), 30.0).redirects == 0
    binary = replaced(FETCH, body=b64encode(b"\xff\x00").decode(), b64=True)
    assert fetching.request(binary, 30.0).body == b"\xff\x00"


def test_an_answer_is_text_or_base64() -> None:
    told = msgspec.json.decode(fetching.fetched(3, Response(200, {"a": "b"}, "ü".encode())))
    assert told == {"t": "fetched", "id": 3, "status": 200, "headers": [["a", "b"]], "body": "ü", "b64": False}
    told = msgspec.json.decode(fetching.fetched(3, Response(200, {}, b"\xff")))
    assert (told["body"], told["b64"]) == ("/w==", True)


@pytest.mark.parametrize(
    ("reason", "code"), [("UNREACHABLE", "ECONNREFUSED"), ("TIMEOUT", "ETIMEDOUT"), ("PRIVATE_ADDRESS",) * 2]
)
def test_silence_has_a_code_that_destinations_know(reason: str, code: str) -> None:
    told = msgspec.json.decode(fetching.not_fetched(3, NoAnswer(reason, "why")))
    assert told["error"] == {"code": code, "message": "why"}


def test_a_failure_is_told_with_what_the_tool_answered() -> None:
    assert said(frames.Judged("permanent", message="Bad Request", body='{"a":\n 1}')) == 'Bad Request: {"a": 1}'
    assert said(frames.Judged("permanent", message="it said no", body="no")) == "it said no"


def test_a_refused_question_says_who_must_act() -> None:
    refused = refusal(frames.Judged("auth", 401, code="INVALID_AUTHENTICATION", message="no"))
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.status, refused.code) == ("auth", 401, "INVALID_AUTHENTICATION")
    later = refusal(frames.Judged("retry", 429, message="slow", retry_after=7.0))
    assert isinstance(later, Unavailable)
    assert later.retry_after == 7.0


def test_an_event_is_known_again_in_another_batch_and_either_form() -> None:
    suspects = Suspects()
    assert not suspects.holds(call({"a": 1}))
    suspects.note(call({"a": 1}, {"a": 2}))
    assert suspects.holds(call({"a": 3}, b'{"a":2}'))
    assert not suspects.holds(call({"a": 2}, destination="other"))
    suspects.clear(call({"a": 2}))
    assert not suspects.holds(call({"a": 2}))
    assert suspects.holds(call({"a": 1}))


def test_the_list_of_suspects_stays_short() -> None:
    suspects = Suspects()
    suspects.note(call(*({"n": number} for number in range(12_000))))
    assert not suspects.holds(call({"n": 0}))
    assert suspects.holds(call({"n": 11_999}))
