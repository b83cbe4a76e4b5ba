"""Secrets on the command line: typed unseen, or read from standard input, so that no list of processes shows them.

One that is required and absent is asked for where there is a terminal. `-` asks for it too, and reads a line of
standard input where there is none. A text that is given is taken as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from headwater.app.commands.fields import Field

_NEW = "password"
"""The name of a secret that is being chosen; it is typed twice, because nobody sees what they type."""


def with_secrets(made: Sequence[Field], typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, with the secrets that were asked for. Raises a usage error where nobody can be asked."""
    return {**typed, **{field.name: _text(field, typed.get(field.name)) for field in made if field.secret}}


def _text(field: Field, given: str | None) -> str | None:
    if given == "-":
        return _ask(field) if sys.stdin.isatty() else _read(field)
    if given is None and field.required:
        if not sys.stdin.isatty():
            raise typer.BadParameter("It is missing; - reads it from standard input.", param_hint=field.flag)
        return _ask(field)
    return given


def _ask(field: Field) -> str:
    twice = field.required and field.name == _NEW
    return typer.prompt(field.name.capitalize(), hide_input=True, confirmation_prompt=twice, err=True)


def _read(field: Field) -> str:
    line = sys.stdin.readline()
    if not line:
        raise typer.BadParameter("Standard input holds no line for it.", param_hint=field.flag)
    return line.removesuffix("\n").removesuffix("\r")
