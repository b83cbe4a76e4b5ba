"""Secrets are typed unseen or read from standard input, and never have to stand on the command line."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
import typer

from headwater.app.commands.fields import Field, fields
from headwater.app.commands.secrets import with_secrets
from headwater.manage.operations import OPERATIONS

PROGRAM = """
from headwater.app.commands.fields import fields
from headwater.app.commands.secrets import with_secrets
from headwater.manage.operations import OPERATIONS
print(sorted(with_secrets(fields(OPERATIONS["%s"]), %r).items()))
"""


def of(operation: str) -> list[Field]:
    return fields(OPERATIONS[operation])


def at_terminal(operation: str, typed: dict[str, Any], lines: Sequence[str]) -> str:
    """Everything that a terminal shows while these lines are typed into it."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", PROGRAM % (operation, typed)]
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True):
        os.close(theirs)
        shown = b""
        for number, line in enumerate(lines, 1):
            while shown.count(b": ") < number:
                shown += os.read(ours, 1_000)
            os.write(ours, line.encode() + b"\n")
        with suppress(OSError):  # what a terminal says when nobody holds its other end
            while part := os.read(ours, 1_000):
                shown += part
    os.close(ours)
    return shown.decode()


def test_secrets_are_known_by_their_fields() -> None:
    assert {field.name for field in of("create_user") if field.secret} == {"password"}
    assert {field.name for field in of("create_session") if field.secret} == {"token", "password"}
    assert not any(field.secret for field in of("create_token"))


def test_a_password_that_is_absent_is_typed_twice_and_unseen() -> None:
    shown = at_terminal("set_password_of_user", {"user_id": "u"}, ["correct horse", "correct horse"])
    asked, _, answer = shown.partition("[")
    assert "correct horse" not in asked
    assert "('password', 'correct horse')" in answer


def test_the_password_as_it_is_is_typed_once() -> None:
    shown = at_terminal("create_session", {"email": "a@b.c", "password": "-"}, ["correct horse"])
    assert "('password', 'correct horse')" in shown
    assert "('token', None)" in shown


def test_where_there_is_no_terminal_a_dash_reads_a_line_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("first one\r\n second \n"))
    given = with_secrets(of("change_own_password"), {"current": "-", "password": "-"})
    assert given == {"current": "first one", "password": " second "}
    with pytest.raises(typer.BadParameter, match="no line"):
        with_secrets(of("set_password_of_user"), {"password": "-"})


def test_where_nobody_can_be_asked_an_absent_one_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("not read"))
    with pytest.raises(typer.BadParameter, match="- reads it"):
        with_secrets(of("create_user"), {"email": "a@b.c"})
    assert with_secrets(of("create_session"), {"email": "a@b.c"}) == {
        "email": "a@b.c",
        "token": None,
        "password": None,
    }


def test_one_that_is_given_is_taken_as_it_is() -> None:
    assert with_secrets(of("create_user"), {"password": "given"})["password"] == "given"
