"""What a file must be like, and what its rows say. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from headwater.profiles.uploads.reading import Broken, rows
from headwater.spec.csv_upload import MAX_COLUMNS, MAX_FLAWS, MAX_NAME_CHARS, MAX_ROWS, Discard, Flaw
from headwater.spec.keys import stand_in
from headwater.spec.limits import MAX_MESSAGE_BYTES
from headwater.spec.space import MAX_VALUE_CHARS, Space

CONTEXT: Final[dict[str, Any]] = {"library": {"name": "headwater-csv-upload"}}
"""What every call of an upload says of where it comes from."""

_MOST_IDENTIFIERS: Final = 50
"""More external ids than that are not looked at in one event."""

_ROOM_BYTES: Final = 200
_LATIN = r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u024F\u1E00-\u1EFF\u0310\u0324\u0325\u0331\u035F"
_STRANGE_IN_NAME: Final = re.compile(rf"[^\x20-\x7E{_LATIN}]")
_STRANGE: Final = re.compile(rf"[^\t\n\r\x20-\x7E{_LATIN}]")
_SPACES: Final = re.compile(r"^ | {2}| $")

Call = dict[str, Any] | Discard
"""The call of a row, or why there is none."""

_encode = msgspec.json.encode


class Columns(msgspec.Struct, frozen=True):
    """What the header says: its names, and where identifiers and traits stand.

    The strongest identifier is first. Without identifiers, each row is somebody nobody has heard of.
    """

    names: tuple[str, ...]
    identifiers: tuple[tuple[str, int], ...]
    traits: tuple[tuple[str, int], ...]


class Check:
    """One look through a file, in steps. It ends early when so much is wrong that more would not be told."""

    def __init__(self, file: BinaryIO, space: Space) -> None:
        self.columns: Columns | None = None
        self.rows = 0
        self.flaws: list[Flaw] = []
        self._found = rows(file)
        self._space = space

    def step(self, count: int) -> bool:
        """Look at so many rows more; False at the end."""
        seen = 0
        try:
            for number, cells in islice(self._found, count):
                seen += 1
                if self.columns is None:
                    self._begin(cells)
                else:
                    self._look(number, cells)
                if self.columns is None or len(self.flaws) >= MAX_FLAWS or self.rows > MAX_ROWS:
                    return self._end()
        except Broken as broken:
            self.flaws.append(broken.flaw)
            return False
        return seen == count or self._end()

    def _begin(self, names: list[str]) -> None:
        self.flaws = header_flaws(names, self._space)
        if not self.flaws:
            self.columns = read_header(names, self._space)

    def _look(self, number: int, cells: list[str]) -> None:
        self.rows += 1
        if self.columns is not None:
            self.flaws += row_flaws(number, cells, self.columns)[: MAX_FLAWS - len(self.flaws)]

    def _end(self) -> bool:
        self._found.close()
        if self.rows > MAX_ROWS:
            self.flaws.append(Flaw(f"There are more than {MAX_ROWS:,} rows. Split the file."))
        if not self.rows and not self.flaws:
            self.flaws.append(Flaw("There is no data: a header and at least one row below it are needed."))
        return False


def header_flaws(names: Sequence[str], space: Space) -> list[Flaw]:
    """What is wrong with a header."""
    if len(names) > MAX_COLUMNS:
        return [Flaw(f"There are {len(names):,} columns; at most {MAX_COLUMNS} can be taken.", 1)]
    flaws: list[Flaw] = []
    counts = Counter(names)
    companies = {kind.name for kind in space.identifiers if kind.collection == "accounts"}
    for place, name in enumerate(names):
        said = _name_flaw(name, again=counts[name] > 1 and names.index(name) < place, companies=companies)
        if said:
            flaws.append(Flaw(said, 1, name[:MAX_NAME_CHARS] or f"column {place + 1}"))
    if flaws:
        return flaws[:MAX_FLAWS]
    people = [kind.name for kind in space.identifiers if kind.collection == "users"]
    found = [name for name in names if name in people]
    if len(found) > _MOST_IDENTIFIERS:
        return [Flaw(f"{len(found)} columns are identifiers; at most {_MOST_IDENTIFIERS} can be taken.", 1)]
    if not found and "anonymous_id" not in people:
        said = f"No column is an identifier of the space. Name one {_listed(people)}, in just these letters."
        return [Flaw(said + (" Columns are parted by commas." if len(names) == 1 else ""), 1)]
    return []


def read_header(names: Sequence[str], space: Space) -> Columns:
    """What a header without flaws says."""
    ranks = {kind.name: (kind.priority or len(space.identifiers) + 1, kind.name) for kind in space.identifiers}
    places = list(enumerate(names))
    identifiers = sorted(((name, at) for at, name in places if name in ranks), key=lambda one: ranks[one[0]])
    return Columns(tuple(names), tuple(identifiers), tuple((name, at) for at, name in places if name not in ranks))


def row_flaws(number: int, cells: Sequence[str], columns: Columns) -> list[Flaw]:
    """What is wrong with a row, so that the file cannot be taken."""
    if len(cells) != len(columns.names):
        said = f"The row has {_cells(len(cells))}, and the header {_cells(len(columns.names))}."
        return [Flaw(f"{said} Is there a comma in a cell without quotes around it?", number)]
    if _STRANGE.search("".join(cells)) is None:
        return []
    return [
        Flaw(f"The character {_named(found[0])} cannot be taken. Remove it.", number, name)
        for name, cell in zip(columns.names, cells, strict=True)
        if (found := _STRANGE.search(cell)) is not None
    ]


def calls(file: BinaryIO, columns: Columns, *, space: Space, digest: str) -> Generator[tuple[int, Call]]:
    """The call of each row, or why it is left out, by the row's number. The file must have been looked through."""
    with closing(rows(file)) as found:
        next(found)
        for number, cells in found:
            yield number, call(cells, columns, space_id=space.id, digest=digest, number=number)


def call(
    cells: Sequence[str], columns: Columns, *, space_id: str, digest: str, number: int
) -> dict[str, Any] | Discard:
    """The call that tells of a row; its messageId is the same whenever this file is told to this space."""
    known = {name: cells[at] for name, at in columns.identifiers if cells[at].strip()}
    traits = {name: cells[at] for name, at in columns.traits if cells[at]}
    if not known and (columns.identifiers or not traits):
        return "no_identifier"
    if any(len(value) > MAX_VALUE_CHARS for value in known.values()):
        return "identifier_too_long"
    named = sha256(f"{space_id}\0{digest}\0{number}".encode()).hexdigest()[:40]
    body: dict[str, Any] = {"type": "identify", "messageId": f"csv_{named}"} | _about(known, f"csv_{named}")
    others = {name: value for name, value in known.items() if name not in ("user_id", "anonymous_id")}
    if "email" in others:
        traits["email"] = others["email"]
    body["traits"] = traits
    if others:
        body["context"] = {
            "externalIds": [
                {"id": value, "type": name, "collection": "users", "encoding": "none"} for name, value in others.items()
            ]
        }
    # What all calls of a batch share is merged under each of them.
    return "too_large" if len(_encode(body)) > MAX_MESSAGE_BYTES - _ROOM_BYTES else body


def _about(known: dict[str, str], otherwise: str) -> dict[str, str]:
    found = {
        field: known[name] for name, field in (("user_id", "userId"), ("anonymous_id", "anonymousId")) if name in known
    }
    if found:
        return found
    name = next(iter(known), "")
    return {"anonymousId": stand_in(f"{name}:{known[name]}") if name else otherwise}


def _name_flaw(name: str, *, again: bool, companies: set[str]) -> str:
    if not name.strip():
        return "The column has no name. Give it one, or remove it."
    if len(name) > MAX_NAME_CHARS:
        return f"The column's name is longer than {MAX_NAME_CHARS} characters. Shorten it."
    if again:
        return "The column is there twice. Rename or remove one."
    if _SPACES.search(name):
        return "The column's name begins or ends with a space, or has two in a row. Remove them."
    if (found := _STRANGE_IN_NAME.search(name)) is not None:
        return f"The column's name holds {_named(found[0])}, which cannot be taken. Remove it."
    if name in companies:
        return "The column is an identifier of companies, and a file is about people. Remove it."
    return ""


def _named(character: str) -> str:
    shown = f" ({character})" if character.isprintable() else ""
    return f"U+{ord(character):04X}{shown}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


def _listed(names: Sequence[str]) -> str:
    return " or ".join(names[:5]) or "as an identifier, once the space has one for people"
