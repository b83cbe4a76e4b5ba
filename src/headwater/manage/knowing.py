"""What is known of profiles, as it is shown and searched for: names, traits with their past values. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from headwater.manage.answers import Shape
from headwater.profiles.known import NULL, State, Write, traits
from headwater.spec.errors import SenderError
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import decode

SHOWN_BYTES: Final = 2_000
"""A longer value is cut when it is shown; the Profile API reads it whole."""

SEARCHED_BYTES: Final = 4_000
"""Of a longer value the rest is not searched."""

_NAMED_BYTES: Final = 300
_FIRST: Final = ("firstName", "first_name", "firstname")
_LAST: Final = ("lastName", "last_name", "lastname")


class TraitValue(Shape, frozen=True, kw_only=True):
    """A value of a trait and the newest event that wrote it. `cut` if it is too long: then it is how its JSON begins.

    `bytes` is the length of its JSON.
    """

    value: Any
    cut: bool
    bytes: int
    at: str
    source_id: str
    message_id: str


class TraitShape(Shape, frozen=True, kw_only=True):
    """A trait as it is now, and the values that it had, newest first; `removed` if it is there no more."""

    name: str
    removed: bool
    current: TraitValue
    before: list[TraitValue]


def name_of(state: State | None) -> str:
    """What a person or company is called, by the traits that usually say so; may be empty."""
    found = traits(state) if state is not None else {}
    whole = _text(found, "name")
    if whole:
        return whole
    parts = (next((text for key in keys if (text := _text(found, key))), "") for keys in (_FIRST, _LAST))
    return " ".join(part for part in parts if part)


def email_of(state: State | None) -> str:
    """The trait `email`; may be empty."""
    return _text(traits(state), "email") if state is not None else ""


def holds(state: State, wanted: str) -> bool:
    """Does a trait's value hold this text, given in lower case? Numbers and the like are searched as JSON."""
    return any(wanted in _searched(each.value) for each in traits(state).values())


def show_traits(state: State) -> list[TraitShape]:
    """Every trait by its name, those that were taken away also."""
    return [
        TraitShape(
            name=name,
            removed=values[0].value == NULL,
            current=_show(values[0]),
            before=[_show(each) for each in values[1:]],
        )
        for name, values in sorted(state.traits.items())
    ]


def _show(write: Write) -> TraitValue:
    cut = len(write.value) > SHOWN_BYTES
    return TraitValue(
        value=write.value[:SHOWN_BYTES].decode(errors="replace") if cut else _read(write.value),
        cut=cut,
        bytes=len(write.value),
        at=format_moment(write.mark.at),
        source_id=write.mark.source_id,
        message_id=write.mark.message_id,
    )


def _read(value: bytes) -> Any:
    try:
        return decode(value)
    except (SenderError, msgspec.DecodeError):
        return value.decode(errors="replace")


def _text(found: dict[str, Write], key: str) -> str:
    write = found.get(key)
    if write is None or not write.value.startswith(b'"') or len(write.value) > _NAMED_BYTES:
        return ""
    return str(_read(write.value)).strip()


def _searched(value: bytes) -> str:
    """The beginning of a value in lower case; escapes are read only where they may matter."""
    if len(value) <= SEARCHED_BYTES and value.startswith(b'"') and b"\\" in value:
        return str(_read(value)).casefold()
    return value[:SEARCHED_BYTES].decode(errors="replace").casefold()
