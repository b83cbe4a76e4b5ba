"""Asking a house: where it is, what its errors say, and what its streams send."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import IO, Any

import pytest
from typer.testing import CliRunner

from headwater.app.cli import app
from headwater.app.commands.client import (
    Client,
    Kept,
    Sent,
    Text,
    find_house,
    keep,
    kept_in,
    path_to,
    sent_events,
    web_address,
)
from headwater.app.commands.tail import follow
from headwater.spec.errors import SenderError, SetupError, Unavailable


class Answering:
    """An HTTP server that answers what it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Receiver(BaseHTTPRequestHandler):
            def answer(self) -> None:
                chunked = self.headers.get("transfer-encoding") == "chunked"
                body = _chunks(self.rfile) if chunked else self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked.append((self.command, self.path, dict(self.headers.items()), body))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def _chunks(file: IO[bytes]) -> bytes:
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


@pytest.fixture
def answering() -> Iterator[Answering]:
    one = Answering()
    yield one
    one.server.shutdown()
    one.server.server_close()


def refuse(answering: Answering, status: int, body: Any) -> Exception:
    answering.status, answering.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises((SenderError, Unavailable)) as caught:
        Client(answering.url, {}).ask("GET", "/sources")
    return caught.value


def test_the_answer_is_the_content_of_data(answering):
    answering.body = b'{"data": {"sources": []}}'
    house = Kept(url=answering.url + "/prefix/", token="hw_t")
    assert Client.of_house(house).ask("POST", "/sources", query=[("a b", "c&d")], body={"x": 1}) == {"sources": []}
    method, path, headers, body = answering.asked[0]
    assert (method, path, body) == ("POST", "/prefix/sources?a+b=c%26d", b'{"x":1}')
    assert headers["Authorization"] == "Bearer hw_t"


def test_all_problems_of_a_request_are_told(answering):
    problems = [
        {"type": "t", "message": '"slug" is required', "field": "slug"},
        {"message": "too long", "field": "name"},
    ]
    error = refuse(answering, 422, {"errors": problems})
    assert str(error) == '"slug" is required; name: too long'


def test_a_refused_token_is_told_with_what_to_do(answering):
    assert "--token" in str(refuse(answering, 401, {"errors": [{"message": "The token is unknown."}]}))


def test_an_answer_that_is_no_envelope_is_told_by_its_status(answering):
    assert str(refuse(answering, 404, b"<html>")) == "The answer was 404 Not Found."
    assert str(refuse(answering, 500, {"errors": "x"})).startswith("The answer was 500")


def test_what_may_succeed_later_is_unavailable(answering):
    assert isinstance(refuse(answering, 503, {"errors": [{"message": "Full."}]}), Unavailable)
    assert isinstance(refuse(answering, 429, {"errors": [{"message": "Too many requests"}]}), Unavailable)


def test_what_is_no_house_is_told(answering):
    answering.body = b"hello"
    with pytest.raises(Unavailable, match="not Headwater"):
        Client(answering.url, {}).ask("GET", "/")


def test_server_sent_events_are_read_with_names_ids_and_several_lines_of_data():
    lines = [
        b": idle\n",
        b"\n",
        b"id: 0:1\n",
        b"event: event\n",
        b"data: a\n",
        b"data:b\r\n",
        b"\n",
        b"data: c\n",
        b"\n",
    ]
    assert list(sent_events(lines)) == [Sent("event", "0:1", b"a\nb"), Sent("message", "", b"c")]


def test_a_tail_goes_on_after_the_last_event_it_had(answering):
    answering.body = b"id: 0:4\ndata: {}\n\nid: 0:5\ndata: {}\n\n"
    events = follow(Client(answering.url, {}), [("type", "track")], "now", again_seconds=0)
    assert [next(events).id for _ in range(3)] == ["0:4", "0:5", "0:4"]
    assert [path.partition("?")[2] for _, path, _, _ in answering.asked] == [
        "type=track&from=now",
        "type=track&lastEventId=0%3A5",
    ]


def test_a_tail_of_no_house_ends_at_once():
    with pytest.raises(Unavailable, match="Nothing answers"):
        next(follow(Client("http://127.0.0.1:1", {}), [], "now"))


def test_path_parameters_are_escaped():
    assert (
        path_to("/sources/{sourceId}/keys/{key}", {"sourceId": "a/../b", "key": "?x"})
        == "/sources/a%2F..%2Fb/keys/%3Fx"
    )


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_a_listener_is_reached_from_its_machine(host, url):
    assert web_address(host, 80) == url


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HEADWATER_URL", "HEADWATER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "data").mkdir()
    keep(tmp_path / "data", Kept(url="http://kept:1", token="kept", collect="http://kept:2"))
    return tmp_path / "data"


def test_what_is_kept_is_its_owners_alone(folder):
    assert (folder / "cli.json").stat().st_mode & 0o777 == 0o600


def test_a_later_start_keeps_the_token(folder):
    keep(folder, Kept(url="http://moved:1"))
    assert kept_in(folder) == Kept(url="http://moved:1", token="kept")


def test_the_house_is_found_by_what_is_kept(folder):
    assert find_house() == Kept(url="http://kept:1", token="kept", collect="http://kept:2")


def test_options_win_over_the_environment_and_that_over_what_is_kept(folder, monkeypatch):
    monkeypatch.setenv("HEADWATER_URL", "http://environment:1/")
    monkeypatch.setenv("HEADWATER_TOKEN", "environment")
    assert (find_house().url, find_house().token) == ("http://environment:1", "environment")
    assert find_house(url="http://flag:1", token="flag").url == "http://flag:1"
    assert find_house(url="http://flag:1", token="flag").token == "flag"


def test_a_token_that_was_kept_for_one_house_is_shown_to_no_other(folder):
    assert find_house(url="http://elsewhere:1").token == ""
    assert find_house(url="http://kept:1").token == "kept"


def test_without_anything_kept_the_settings_say_where_the_house_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_MANAGE_PORT", "9")
    assert find_house().url == "http://127.0.0.1:9"


def test_what_is_kept_but_damaged_is_told(folder):
    (folder / "cli.json").write_text("{")
    with pytest.raises(SetupError, match="Remove it"):
        find_house()


def test_a_file_is_sent_as_it_is_read(answering, tmp_path, monkeypatch):
    content = b"user_id,n\n" + b"u1,1\n" * 100_000
    (tmp_path / "people.csv").write_bytes(content)
    answering.body = json.dumps({"data": {"csvUpload": {"id": "csv_1", "taken": 7}}}).encode()
    words = ["create-csv-upload", "default", "--url", answering.url, "--token", "t", "--file"]
    ran = CliRunner().invoke(app, [*words, str(tmp_path / "people.csv")])
    assert ran.exit_code == 0, ran.output
    assert "csv_1" in ran.stdout
    [(method, path, headers, body)] = answering.asked
    assert (method, path) == ("POST", "/headwater/spaces/default/csv-uploads?name=people.csv")
    assert (headers["Content-Type"], body == content) == ("text/csv", True)
    answering.asked.clear()
    CliRunner().invoke(app, [*words, str(tmp_path / "people.csv"), "--name", "other.csv"])
    assert answering.asked[0][1].endswith("?name=other.csv")
    ran = CliRunner().invoke(app, [*words, str(tmp_path / "nothing.csv")])
    assert (ran.exit_code, "cannot be read" in ran.output) == (1, True)


def test_what_comes_through_a_pipe_is_sent_whole(answering, tmp_path):
    words = ["create-csv-upload", "default", "--url", answering.url, "--token", "t", "--file"]
    ran = CliRunner().invoke(app, [*words, "-"], input=b"user_id\nu1\n")
    assert ran.exit_code == 0, ran.output
    os.mkfifo(tmp_path / "people.csv")
    writing = Thread(target=(tmp_path / "people.csv").write_bytes, args=(b"user_id\nu2\n",))
    writing.start()
    ran = CliRunner().invoke(app, [*words, str(tmp_path / "people.csv")])
    writing.join()
    assert ran.exit_code == 0, ran.output
    asked = [(path.partition("?")[2], body) for _, path, _, body in answering.asked]
    assert asked == [("", b"user_id\nu1\n"), ("name=people.csv", b"user_id\nu2\n")]


def test_a_file_that_is_refused_before_it_was_read_tells_why(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse_at_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                body = b'{"errors":[{"type":"unauthorized","message":"The token is unknown."}]}'
                connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(10)
                with suppress(OSError):
                    while connection.recv(65_536):
                        pass

        answering = Thread(target=refuse_at_once)
        answering.start()
        (tmp_path / "people.csv").write_bytes(b"x" * 8_000_000)
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", {})
        with (tmp_path / "people.csv").open("rb") as file, pytest.raises(SenderError, match="The token is unknown"):
            client.ask("POST", "/x", text=Text(file, "text/csv", 8_000_000))
        answering.join()


def test_a_text_that_breaks_off_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na,b\n\r\n")

        answering = Thread(target=break_off)
        answering.start()
        pieces = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", {}).fetch("/x")
        with pytest.raises(Unavailable, match="not the whole"):
            list(pieces)
        answering.join()
