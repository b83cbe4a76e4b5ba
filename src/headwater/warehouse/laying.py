"""Laying batches of events flat: by forms where they look like others before them, else one by one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import decode
from headwater.warehouse.flatten import TABLES_OF, UPSERTS, Flat, flatten, uuids_of
from headwater.warehouse.forms import REFUSED, Form, Reader
from headwater.warehouse.laid import Laid, Own

if TYPE_CHECKING:
    from headwater.warehouse.naming import Names, Node

Published = tuple[bytes, int]
"""An event as it is loaded: its published JSON, and when it was received (milliseconds)."""

_FORMS: Final = 500
_LEARNED: Final = 500
"""Events of a batch that forms learn from."""

_PATIENCE: Final = 200
"""Events of a batch that forms may refuse before it counts what share of them that is."""

_REFUSED_SHARE: Final = 0.8
"""Of the events of a batch; when forms refuse more, asking them one by one costs more than they save."""

_SLICE: Final = 128
"""Events read at once: so few stay in the processor's caches until they are columns, which halves what these cost."""

_NOTHING: Final = msgspec.Raw(b"{}")
_WITH_PROPERTIES: Final = frozenset({"track", "page", "screen"})
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "identify": ("userId",),
    "track": (),
    "page": ("name", "category"),
    "screen": ("name", "category"),
    "group": ("groupId",),
    "alias": ("previousId",),
}
"""What the rows of a call's own table say beside properties and traits, or whom the call is about."""

_COLUMNS: Final = {"groupId": "group_id", "previousId": "previous_id"}


def lay(events: Sequence[Published], *, names: Names, unreadable: Callable[[], None], source: str = "") -> Laid:
    """Lay the events of one source flat. `unreadable` is told of each that is no JSON object of a known type.

    Forms are remembered with the names, by source, since each source has a way of its own to say things.
    """
    names.trim()
    laying = _Laying(names, source)
    for first in range(0, len(events), _SLICE):
        some = events[first : first + _SLICE]
        if laying.add(some):
            continue
        for each in some:
            if not laying.add([each]) and not laying.slowly(*each):
                unreadable()
    return laying.done()


def read_body(value: bytes) -> dict[str, Any] | None:
    """A published event; None for what is no JSON object."""
    try:
        body = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            body = decode(value)
        except (SenderError, msgspec.DecodeError):
            return None
    return body if isinstance(body, dict) else None


class _Envelope(msgspec.Struct, gc=False):
    """An event with what it holds closed."""

    messageId: str
    type: str
    event: str | None = None
    name: str | None = None
    category: str | None = None
    userId: str | None = None
    anonymousId: str | None = None
    groupId: str | None = None
    previousId: str | None = None
    sentAt: str | None = None
    timestamp: str | None = None
    originalTimestamp: str | None = None
    context: msgspec.Raw = _NOTHING
    properties: msgspec.Raw = _NOTHING
    traits: msgspec.Raw = _NOTHING


_COMMON: Final = {
    "id": attrgetter("messageId"),
    "anonymous_id": attrgetter("anonymousId"),
    "user_id": attrgetter("userId"),
    "sent_at": attrgetter("sentAt"),
    "timestamp": attrgetter("timestamp"),
    "original_timestamp": attrgetter("originalTimestamp"),
    "event_text": attrgetter("event"),
}
_decode = msgspec.json.Decoder().decode
_envelope = msgspec.json.Decoder(_Envelope).decode


class _Read:
    """Columns of objects that one form reads, with a cell for each of their events, which are at `places`."""

    def __init__(self, form: Form | None, absent: Any = None) -> None:
        self.form = form
        self.places: list[int] = []
        self._absent = absent
        self._columns: dict[str, list[Any]] = {}
        self._waiting: list[Any] = []
        self._reader: Reader | None = None
        self.read: Callable[[bytes | msgspec.Raw], Any] = _refuse
        self._begin()

    def _begin(self) -> None:
        """Go on with the form as it is now."""
        if self.form is not None and self.form.reader is not None:
            self._reader = self.form.reader
            self.read = self._reader.read

    def add(self, places: Iterable[int], found: Sequence[Any]) -> None:
        self.places += places
        self._waiting += found
        if len(self._waiting) >= _SLICE:
            self._put_down()

    def learn(self, value: Any) -> None:
        if self.form is not None:
            self.form.learn(value)
            if self.form.reader is not self._reader:
                self._put_down()
                self._begin()

    def columns(self) -> dict[str, Sequence[Any]]:
        """All that was read."""
        self._put_down()
        return {**self._columns}

    def _put_down(self) -> None:
        """Make columns of the objects at hand."""
        if self._reader is None or not self._waiting:
            return
        count = len(self._waiting)
        before = len(self.places) - count
        cells = self._reader.columns(self._waiting)
        for name in cells:
            if name not in self._columns:
                self._columns[name] = [self._absent] * before
        for name, column in self._columns.items():
            column += cells.get(name) or [self._absent] * count
        self._waiting = []


def _refuse(_: bytes | msgspec.Raw) -> Any:
    raise msgspec.DecodeError


class _Group:
    """The events of one batch that share their own table."""

    def __init__(self, kind: str, event_table: str, form: Form | None) -> None:
        self.table = TABLES_OF[kind]
        self.event_table = event_table
        self.properties = kind in _WITH_PROPERTIES
        self.absent = None if self.properties else msgspec.UNSET
        self.read = _Read(form, self.absent)
        self.slow: dict[int, Flat] = {}
        self._fields = _FIELDS[kind]
        self.given: list[list[str | None]] = [[] for _ in self._fields]

    @property
    def used(self) -> bool:
        return bool(self.read.places or self.slow)

    def read_all(self, envelopes: Sequence[_Envelope]) -> list[Any]:
        """What is in calls beside what all calls have. Raises one of REFUSED."""
        closed = [each.properties for each in envelopes] if self.properties else [each.traits for each in envelopes]
        return [*map(self.read.read, closed)]

    def add(self, places: Sequence[int], envelopes: Sequence[_Envelope], found: Sequence[Any]) -> None:
        """Take calls up, with what `read_all` found in them."""
        self.read.add(places, found)
        for field, given in zip(self._fields, self.given, strict=True):
            given += [getattr(each, field) for each in envelopes]

    def own(self) -> Own:
        """What they have in their own table."""
        columns = self.read.columns()
        for field, given in zip(self._fields, self.given, strict=True):
            column = _COLUMNS.get(field)
            if column is not None:
                columns[column] = given
            elif field in ("name", "category") and any(each is not None for each in given):
                columns[field] = _first(given, columns.get(field))
        unset = self.absent is not None
        if not self.slow:
            return Own(self.read.places, columns, {}, unset)
        places = sorted([*self.read.places, *self.slow])
        rows = {place: row for row, place in enumerate(places)}
        quick = [rows[place] for place in self.read.places]
        spread = {name: _spread(values, quick, len(places), self.absent) for name, values in columns.items()}
        return Own(places, spread, {rows[place]: flat for place, flat in self.slow.items()}, unset)


def _first(given: list[Any], otherwise: Sequence[Any] | None) -> list[Any]:
    """The cells given, or where there are none those of another column."""
    if otherwise is None:
        return given
    return [other if each is None else each for each, other in zip(given, otherwise, strict=True)]


def _spread(values: Sequence[Any], places: Sequence[int], count: int, absent: Any) -> Sequence[Any]:
    """Cells at their places in a longer column."""
    if len(values) == count:
        return values
    column = [absent] * count
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return column


def _shares(
    groups: Sequence[_Group], envelopes: Sequence[_Envelope]
) -> list[tuple[_Group, Sequence[int], Sequence[_Envelope]]]:
    """Events by their groups, with where they are among these."""
    if groups.count(groups[0]) == len(groups):
        return [(groups[0], range(len(groups)), envelopes)]
    rows: defaultdict[_Group, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[group].append(row)
    return [(group, mine, [envelopes[row] for row in mine]) for group, mine in rows.items()]


class _Laying:
    """One batch at work."""

    def __init__(self, names: Names, source: str) -> None:
        self._names = names
        self._source = source
        self._groups: dict[tuple[str, str], _Group] = {}
        self._called: dict[tuple[str, str | None], _Group] = {}
        self._context = _Read(self._form("", "", names.context, None))
        self._of: list[_Group] = []
        self._received_at: list[int] = []
        self._given: dict[str, list[Any]] = {column: [] for column in _COMMON}
        self._slow: dict[int, Flat] = {}

    def _form(self, kind: str, table: str, root: Node, absent: Any) -> Form | None:
        """The form of objects of one kind; None when there are too many."""
        forms = self._names.forms
        form = forms.get((self._source, kind, table))
        if form is None and len(forms) < _FORMS:
            standard = self._names.standard if kind else frozenset[str]()
            form = forms[self._source, kind, table] = Form(root, standard, absent=absent)
        elif form is not None:
            form.settle()
        return form

    def _group(self, kind: str, event: str | None) -> _Group:
        """The group of a call. Raises KeyError for a type that has no table."""
        found = self._called.get((kind, event))
        if found is None:
            event_table = self._names.table(event or "") if TABLES_OF[kind] == "tracks" else ""
            found = self._groups.get((kind, event_table))
            if found is None:
                root = self._names.properties if kind in _WITH_PROPERTIES else self._names.traits
                form = self._form(kind, event_table, root, None if kind in _WITH_PROPERTIES else msgspec.UNSET)
                found = self._groups[kind, event_table] = _Group(kind, event_table, form)
            self._called[kind, event] = found
        return found

    def add(self, events: Sequence[Published]) -> bool:
        """Read events by forms; False when these refuse one of them, and nothing is added then."""
        place, misses = len(self._of), len(self._slow)
        bearable = _REFUSED_SHARE if len(events) == 1 else 1 / _SLICE
        if misses > _PATIENCE and misses > bearable * place:
            return False
        try:
            envelopes = [_envelope(value) for value, _ in events]
            called = [(each.type, each.event) for each in envelopes]
            groups = [self._called.get(call) or self._group(*call) for call in called]
            contexts = [*map(self._context.read, [each.context for each in envelopes])]
            shares = _shares(groups, envelopes)
            owns = [group.read_all(share) for group, _, share in shares]
        except (*REFUSED, KeyError):
            return False
        if not all(each.messageId for each in envelopes):
            return False
        self._context.add(range(place, place + len(events)), contexts)
        for (group, rows, share), own in zip(shares, owns, strict=True):
            group.add([place + row for row in rows], share, own)
        for column, field in _COMMON.items():
            self._given[column] += map(field, envelopes)
        self._of += groups
        self._received_at += [received_at for _, received_at in events]
        return True

    def slowly(self, value: bytes, received_at: int) -> bool:
        """Lay an event flat by itself; False when it cannot be read."""
        body = read_body(value)
        flat = None if body is None else flatten(body, received_at=received_at, names=self._names)
        if body is None or flat is None:
            return False
        group = self._group(body["type"], flat.common.get("event_text"))
        place = len(self._of)
        self._slow[place] = group.slow[place] = flat
        self._of.append(group)
        self._received_at.append(received_at)
        if len(self._slow) <= _LEARNED:
            self._context.learn(body.get("context", {}))
            group.read.learn(body.get("properties" if group.properties else "traits", {}))
        return True

    def done(self) -> Laid:
        """All events laid flat."""
        count, places = len(self._of), self._context.places
        columns = self._common()
        spread = {name: _spread(values, places, count, None) for name, values in columns.items()}
        ids = list(spread["id"])
        for place, flat in self._slow.items():
            ids[place] = flat.id
        return Laid(
            ids=ids,
            tables=[group.table for group in self._of],
            event_tables=[group.event_table for group in self._of],
            uuids=uuids_of(ids),
            received_at=self._received_at,
            columns=spread,
            own={group.event_table or group.table: group.own() for group in self._groups.values() if group.used},
            about=self._about(),
            slow=self._slow,
        )

    def _common(self) -> dict[str, Sequence[Any]]:
        """The columns of what was read by forms, which rows of every table share."""
        places = self._context.places
        given = self._given
        if not all(given["timestamp"]):
            moments = [self._received_at[place] for place in places]
            either = zip(given["timestamp"], moments, strict=True)
            given["timestamp"] = [stamp or format_moment(moment) for stamp, moment in either]
        texts = given.pop("event_text")
        given["id"] = self._ids(given["id"])
        columns = {**given, **self._context.columns()}
        tables = [self._of[place].event_table or None for place in places]
        if any(tables):
            columns["event"] = tables
            columns["event_text"] = [
                None if table is None else text or "" for table, text in zip(tables, texts, strict=True)
            ]
        return columns

    def _about(self) -> dict[int, str]:
        """The ids of the rows that events change, by place."""
        found: dict[int, str] = {}
        for group in self._groups.values():
            if group.table in UPSERTS:
                ids = self._ids([each or "" for each in group.given[0]])
                found.update({place: one for place, one in zip(group.read.places, ids, strict=True) if one})
                found.update({place: flat.about for place, flat in group.slow.items() if flat.about})
        return found

    def _ids(self, texts: list[str]) -> list[str]:
        """Ids as the engine will hold them, since rows are searched for by them."""
        return texts if self._names.nul else [text.replace("\x00", "") for text in texts]
