"""What the commands say: batches out of files, the banner, one line of the tail, the tree of a trace, tables."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from headwater.app.commands import output
from headwater.app.commands.banner import banner
from headwater.app.commands.send import BATCH_BYTES, BATCH_EVENTS, batches
from headwater.app.commands.tail import Event, line
from headwater.app.commands.trace import is_settled, tree
from headwater.app.doctor import imbalance
from headwater.app.house import FirstStart
from headwater.spec.errors import SenderError
from headwater.spec.settings import CollectSettings, ManageSettings, Settings


def text_of(shown) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(shown)
    return console.file.getvalue()


def test_a_file_is_sent_in_batches_in_its_order():
    lines = [b'{"n":%d}\n' % number for number in range(BATCH_EVENTS + 1)]
    made = list(batches(iter([*lines[:5], b"\n", *lines[5:]])))
    assert [len(batch) for batch in made] == [BATCH_EVENTS, 1]
    assert bytes(made[1][0]) == lines[-1].strip()


def test_large_events_make_smaller_batches():
    event = b'{"x":"' + b"x" * 30_000 + b'"}'
    sizes = [sum(len(bytes(one)) for one in batch) for batch in batches(iter([event] * 40))]
    assert max(sizes) <= BATCH_BYTES
    assert sum(sizes) == 40 * len(event)


@pytest.mark.parametrize("wrong", [b"[]", b"nope", b'"text"', b'{"a":'])
def test_a_line_that_is_no_object_is_named(wrong):
    with pytest.raises(SenderError, match="line 2 "):
        list(batches(iter([b"{}", wrong])))


def settings_at(collect: int, manage: int) -> Settings:
    return Settings(collect=CollectSettings(host="0.0.0.0", port=collect), manage=ManageSettings(port=manage))


def test_the_first_banner_shows_the_keys_and_a_line_that_works():
    shown = "\n".join(banner(settings_at(1, 2), FirstStart("wk", "hw_t")))
    assert "curl -u wk: http://127.0.0.1:1/v1/track -H 'content-type: application/json'" in shown
    assert "hw_t" in shown
    assert "http://127.0.0.1:2/console" in shown


def test_later_banners_show_no_key_and_tell_how_to_make_a_token():
    shown = "\n".join(banner(settings_at(1, 2), None))
    assert "create-token" in shown
    assert "curl" not in shown


def test_the_tail_shows_an_event_on_one_line():
    event = Event(
        type="track",
        name="Order\x1b[2J",
        message_id="m",
        received_at="2026-03-01T10:11:12.131Z",
        event={"userId": "u1", "properties": {"revenue": 1, "note": "[bold]x[/bold]"}},
    )
    shown = line(event).plain
    assert shown == '10:11:12.131 track    Order�[2J  u1  {"revenue":1,"note":"[bold]x[/bold]"}  m'


def test_a_tail_that_was_too_slow_says_how_much_it_missed():
    assert "7 events passed" in line(Event(missed=7)).plain


def a_trace(**parts):
    empty = {"messageId": "m1", "received": None, "processed": None, "outcomes": [], "destinations": []}
    return empty | parts


def at(step, **parts):
    told = {"at": "2026-03-01T10:11:12.131Z", "step": step, "reason": "", "meaning": "", "detail": "", "status": 0}
    return told | {"took": 3, "attempt": 1, "request": "", "response": ""} | parts


PROCESSED = {
    "partition": 0,
    "position": 7,
    "receivedAt": "2026-03-01T10:11:12.131Z",
    "sourceId": "s",
    "destinations": ["d"],
    "event": {"type": "track", "event": "Order", "userId": "u1"},
}


def test_a_trace_tells_of_each_attempt():
    attempt = at(
        "pending", reason="RETRY", meaning="Later.", status=503, request="POST http://h/\nA: b\n\n{}", response="503"
    )
    destination = {"destinationId": "d", "name": "Hook", "definition": "webhook", "state": "pending", "parked": []}
    shown = text_of(tree(a_trace(processed=PROCESSED, destinations=[{**destination, "attempts": [attempt]}])))
    assert "processed track Order u1  at 0:7" in shown
    assert "Hook (webhook) pending" in shown
    assert "attempt 1, 3 ms, answered 503, RETRY Later." in shown
    assert "request: POST http://h/" in shown
    assert "A: b" not in shown


def test_a_trace_of_a_failure_shows_the_reason_and_what_was_received():
    failed = at("failed_on_ingest", reason="event_not_string", meaning="Not a string.", room="pipeline")
    failed |= {"destinationId": "", "payload": {"event": 7}}
    shown = text_of(tree(a_trace(outcomes=[failed])))
    assert "failed_on_ingest event_not_string Not a string." in shown
    assert "event=7" in shown


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        (a_trace(), False),
        (a_trace(processed=PROCESSED), True),
        (a_trace(processed=PROCESSED, destinations=[{"state": "unknown"}]), False),
        (a_trace(processed=PROCESSED, destinations=[{"state": "pending"}]), True),
        (a_trace(outcomes=[{"room": "pipeline"}]), True),
    ],
)
def test_a_trace_is_looked_at_again_until_something_is_written_down(found, settled):
    assert is_settled(found) is settled


def test_a_list_shows_what_is_flat_and_names_what_is_a_resource(capsys):
    output.show_list([{"id": "1", "metadata": {"id": "m", "name": "Web", "options": [{"x": 1}]}, "deep": {"a": [1]}}])
    assert capsys.readouterr().out.splitlines() == ["id  metadata", "1   Web"]


def test_a_resource_shows_what_is_nested_below_its_name(capsys):
    output.show_resource({"id": "1", "on": True, "none": None, "options": [{"name": "url", "description": "Where."}]})
    assert capsys.readouterr().out.splitlines() == ["id       1", "on       yes", "options", "  url    Where."]


def test_text_from_outside_moves_no_cursor(capsys):
    output.show_list([{"name": "\x1b[2J[red]x"}])
    output.say("\x07bell")
    assert capsys.readouterr().out.splitlines() == ["name", "�[2J[red]x", "�bell"]


def test_books_that_balance_have_nothing_open():
    steps = {"received": 3, "processed": 2, "duplicate": 1, "matched": 2, "delivered": 1, "pending": 1}
    assert imbalance(steps) == 0
    assert imbalance(steps | {"delivered": 0}) == 1
