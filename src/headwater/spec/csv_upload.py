"""Files of people that somebody uploads to a space (contract: profiles-governance 4.8).

Each row is about one person and becomes an identify call: columns named as identifier types of the space say who it
is, every other column is a trait of the same name, and an empty cell says nothing.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

CSV_UPLOADS: Final = "csv-uploads"
"""The kind of the source that tells a space of its uploads. That space takes its events, and no other does."""

MAX_BYTES: Final = 100_000_000
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 299
MAX_NAME_CHARS: Final = 255
MAX_ROW_CHARS: Final = 131_072
"""A row that is longer is no row: most likely a quote was left open."""

MAX_FLAWS: Final = 20
"""So many things that are wrong with a file are told."""

KEPT_DAYS: Final = 30
"""How long an upload is remembered."""

MAX_LISTED: Final = 200
"""So many of them are shown, the newest: whoever uploads by a script may do so every minute."""

Discard = Literal["no_identifier", "identifier_too_long", "too_large"]
State = Literal["taking", "taken", "refused", "failed", "interrupted"]

DISCARDS: Final[dict[Discard, str]] = {
    "no_identifier": "None of its identifiers has a value. Fill in one.",
    "identifier_too_long": "An identifier is longer than 500 characters. Shorten it.",
    "too_large": "As an event it comes to more than 32 KB. Leave columns empty that it can do without.",
}
"""Why a row is left out, and what to do."""


class Flaw(msgspec.Struct, frozen=True, rename="camel"):
    """Something that is wrong with a file. `row` counts as a spreadsheet does: 1 is the header, 0 no row at all."""

    message: str
    row: int = 0
    column: str = ""


class CsvUpload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file that was uploaded, and what came of it.

    `digest` is of its bytes. Of `rows`, `taken` were told and `discarded` left out by reason; `flaws` names the first
    of these, or what the file was refused for. Moments are in milliseconds; `created_by` names the token or person.
    """

    id: str
    space_id: str
    name: str
    size: int
    digest: str
    state: State
    rows: int = 0
    taken: int = 0
    discarded: dict[str, int] = {}
    flaws: list[Flaw] = []
    created_by: str = ""
    created_at: int = 0
    ended_at: int = 0
