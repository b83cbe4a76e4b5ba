"""The identifiers of an event, strongest first, for one space (contract: profiles-governance 1.3, 1.4, 1.9, 1.10).

A space's rules are compiled once. An event with nothing but a userId and an anonymousId, which most are, takes the
short way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import msgspec

from headwater.spec.event import Event
from headwater.spec.graph import ViolationKind
from headwater.spec.keys import is_stand_in
from headwater.spec.space import (
    MAX_TYPES,
    MAX_VALUE_CHARS,
    Collection,
    IdentifierType,
    Space,
    compile_pattern,
    is_type_name,
    rank,
)

MAX_PROPERTIES: Final = 300
MAX_TRAITS_OF_IDENTIFY: Final = 299
MAX_MESSAGE_ID_CHARS: Final = 100
MAX_GROUP_ID_CHARS: Final = 500
MAX_EXTERNAL_IDS: Final = 50
"""Entries of `context.externalIds` that are looked at."""

_PLACED: Final = frozenset(
    (
        "user_id",
        "anonymous_id",
        "group_id",
        "ga_client_id",
        "braze_id",
        *(f"{system}.{kind}" for system in ("android", "ios") for kind in ("id", "idfa", "push_token")),
    )
)
"""Types with a place of their own in the message; all others are sought in traits and properties."""

_SCANNED: Final = {
    "identify": "traits",
    "group": "traits",
    "track": "properties",
    "page": "properties",
    "screen": "properties",
}
_PARENTS: Final = ("parent_group_id", "parentGroupId")
_NOTHING: Final[tuple[Any, ...]] = ()

Fault = tuple[ViolationKind, str]
"""A violation and the identifier that it is about, or an empty string."""


class Found(msgspec.Struct, gc=False):
    """What an event says of who it is about. Identifiers are `type:value`, the strongest first.

    `refused` keeps the whole event out of the space; `ignored` does so without a violation. `previous` are the two
    forms that an alias call's previousId can be known by: as a user_id, or as an anonymous_id. `parent` is the group
    above a group call's own: an empty string when nothing is said, None when it is taken away.
    """

    users: Sequence[str] = ()
    accounts: Sequence[str] = ()
    faults: Sequence[Fault] = ()
    previous: Sequence[str] = ()
    parent: str | None = ""
    refused: ViolationKind | None = None
    ignored: bool = False


Extract = Callable[[Event], Found]
_IGNORED: Final = Found(ignored=True)


class Rules(msgspec.Struct, frozen=True):
    """A space's rules, ready to be asked for. `spelled` is every spelling by which a type is sought in traits."""

    space: Space
    types: dict[str, IdentifierType]
    ranks: dict[str, tuple[int, str]]
    spelled: dict[str, str]
    blocks: dict[str, Callable[[str], bool]]

    def rank_of(self, identifier: str) -> tuple[int, str]:
        """The order of an identifier among others."""
        name = identifier[: identifier.index(":")]
        return self.ranks.get(name) or rank(name)

    def type_of(self, identifier: str) -> IdentifierType:
        """The rules of an identifier's type; a type that the space does not have yet gets the default ones (1.2)."""
        name = identifier[: identifier.index(":")]
        return self.types.get(name) or IdentifierType(name=name)


def compile_rules(space: Space) -> Rules:
    """Compile a space's rules. Raises SetupError for a blocked pattern that is refused."""
    spelled: dict[str, str] = {}
    for kind in space.identifiers:
        if kind.name not in _PLACED:
            spelled[_camel(kind.name)] = kind.name
    for kind in space.identifiers:
        if kind.name not in _PLACED:
            spelled[kind.name] = kind.name
    return Rules(
        space,
        {kind.name: kind for kind in space.identifiers},
        {kind.name: rank(kind) for kind in space.identifiers},
        spelled,
        {kind.name: _blocks(kind) for kind in space.identifiers if kind.blocked},
    )


def compile_extract(rules: Rules) -> Extract:
    """The function that reads the identifiers off this space's events."""
    blocks, ranks, spelled = rules.blocks, rules.ranks, frozenset(rules.spelled)
    plain = {"user_id", "anonymous_id"} <= ranks.keys() and not blocks.keys() & {"user_id", "anonymous_id"}
    user_first = plain and ranks["user_id"] < ranks["anonymous_id"]

    def extract(event: Event) -> Found:
        body, context = event.body, event.body["context"]
        integrations = body["integrations"]
        if integrations and integrations.get("Personas") is False:
            return _IGNORED
        scanned = body.get(_SCANNED.get(event.type, ""), _NOTHING)
        if (
            not plain
            or event.type in ("group", "alias")
            or "groupId" in context
            or "externalIds" in context
            or "device" in context
            or "integrations" in context
            or "Braze" in context
            or "traits" in context
            or len(scanned) >= MAX_TRAITS_OF_IDENTIFY
            or not spelled.isdisjoint(scanned)
            or body.get("timestamp", "9") < "1970"
            or len(event.message_id) > MAX_MESSAGE_ID_CHARS
        ):
            return _look_everywhere(event, rules)
        user_id, anonymous_id = body.get("userId"), body.get("anonymousId")
        user = "" if user_id is None else f"user_id:{user_id}"
        anonymous = "" if anonymous_id is None else f"anonymous_id:{anonymous_id}"
        if len(user) > MAX_VALUE_CHARS or len(anonymous) > MAX_VALUE_CHARS or "\0" in user or "\0" in anonymous:
            return _look_everywhere(event, rules)
        if not anonymous:
            return Found((user,))
        if not user:
            return Found((anonymous,))
        return Found((user, anonymous) if user_first else (anonymous, user))

    return extract


def but_not(keeps_out: Callable[[dict[str, Any]], bool], extract: Extract) -> Extract:
    """The same for the events that no filter of the space keeps out."""
    return lambda event: _IGNORED if keeps_out(event.body) else extract(event)


def refusal(event: Event) -> ViolationKind | None:
    """The reason why the whole event stays out of every space (1.10), if there is one."""
    body = event.body
    traits = len(body.get("traits") or _NOTHING)
    if max(traits, len(body.get("properties") or _NOTHING)) > MAX_PROPERTIES:
        return "too_many_properties"
    if event.type == "identify" and traits > MAX_TRAITS_OF_IDENTIFY:
        return "too_many_properties"
    if len(event.message_id) > MAX_MESSAGE_ID_CHARS:
        return "message_id_too_long"
    group_id = body.get("groupId") if event.type == "group" else body["context"].get("groupId")
    if group_id == "" and event.type in ("group", "track"):
        return "group_id_empty"
    if isinstance(group_id, str) and len(group_id) > MAX_GROUP_ID_CHARS:
        return "group_id_too_long"
    timestamp = body.get("timestamp")
    return "before_1970" if isinstance(timestamp, str) and timestamp < "1970" else None


def _look_everywhere(event: Event, rules: Rules) -> Found:
    if (reason := refusal(event)) is not None:
        return Found(refused=reason)
    wanted = _Wanted(rules)
    body, context = event.body, cast("dict[str, Any]", event.body["context"])
    if event.type == "alias" and rules.space.alias == "merge":
        wanted.take("user_id", body.get("userId"))
        previous = wanted.previous(body.get("previousId"))
    else:
        wanted.take("user_id", body.get("userId"))
        previous = ()
    if not is_stand_in(body.get("anonymousId")):
        wanted.take("anonymous_id", body.get("anonymousId"))
    wanted.take("group_id", body.get("groupId") if event.type == "group" else context.get("groupId"))
    _from_context(context, wanted)
    if (field := _SCANNED.get(event.type)) is not None:
        for traits in (body.get(field), context.get("traits")):
            if isinstance(traits, dict):
                _from_traits(cast("dict[str, Any]", traits), wanted)
        _from_external_ids(context.get("externalIds"), wanted)
    parent = wanted.parent(body.get("traits")) if event.type == "group" else ""
    return wanted.found(previous, parent)


def _from_context(context: dict[str, Any], wanted: _Wanted) -> None:
    device = context.get("device")
    if isinstance(device, dict):
        device = cast("dict[str, Any]", device)
        system = device.get("type")
        if system in ("android", "ios"):
            wanted.take(f"{system}.id", device.get("id"))
            wanted.take(f"{system}.push_token", device.get("token"))
            if device.get("adTrackingEnabled") is True:
                wanted.take(f"{system}.idfa", device.get("advertisingId"))
    wanted.take("ga_client_id", _within(context, "integrations", "Google Analytics", "clientId"))
    wanted.take("braze_id", _within(context, "Braze", "braze_id"))


def _from_traits(traits: dict[str, Any], wanted: _Wanted) -> None:
    for spelling, name in wanted.rules.spelled.items():
        if spelling in traits:
            wanted.take(name, traits[spelling])


def _from_external_ids(entries: Any, wanted: _Wanted) -> None:
    """Entries that lack one of the four keys, or name a type in another form than its own, are passed over (1.4)."""
    if not isinstance(entries, list):
        return
    for entry in cast("list[Any]", entries)[:MAX_EXTERNAL_IDS]:
        if not isinstance(entry, dict):
            continue
        entry = cast("dict[str, Any]", entry)
        name, collection = entry.get("type"), entry.get("collection")
        if entry.get("encoding") != "none" or not isinstance(name, str) or not is_type_name(name):
            continue
        if collection in ("users", "accounts"):
            wanted.take_external(name, collection, entry.get("id"))


def _within(value: Any, *path: str) -> Any:
    for key in path:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


class _Wanted:
    """Collects the identifiers of one event."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._keys: dict[str, Collection] = {}
        self._faults: list[Fault] = []

    def take(self, name: str, value: Any) -> None:
        """Take a value for a type of the space; a value that cannot be an identifier is none."""
        kind = self.rules.types.get(name)
        if kind is not None and value is not None:
            self._take(name, kind.collection, value)

    def take_external(self, name: str, collection: Collection, value: Any) -> None:
        """Take a value for a type that the space may not have yet (1.2)."""
        kind = self.rules.types.get(name)
        if (len(self.rules.types) < MAX_TYPES) if kind is None else (kind.collection == collection):
            self._take(name, collection, value)

    def previous(self, value: Any) -> tuple[str, ...]:
        """The forms in which an alias call's previousId can be known; a blocked one is none."""
        text = _text(value)
        names = [name for name in ("user_id", "anonymous_id") if text and name in self.rules.types]
        return tuple(f"{name}:{text}" for name in names if not self._blocked(name, text))

    def parent(self, traits: Any) -> str | None:
        """The group that a group call's traits put above its own (3.8); a blocked one is none."""
        for spelling in _PARENTS if isinstance(traits, dict) else ():
            if spelling in traits:
                value = cast("dict[str, Any]", traits)[spelling]
                text = _text(value) if "group_id" in self.rules.types else ""
                named = text and not self._blocked("group_id", text)
                return None if value is None else f"group_id:{text}" if named else ""
        return ""

    def found(self, previous: tuple[str, ...], parent: str | None) -> Found:
        users = sorted((key for key in self._keys if self._keys[key] == "users"), key=self.rules.rank_of)
        accounts = sorted((key for key in self._keys if self._keys[key] == "accounts"), key=self.rules.rank_of)
        return Found(users, accounts, self._faults, previous, parent)

    def _take(self, name: str, collection: Collection, value: Any) -> None:
        text = _text(value)
        if text and not self._blocked(name, text):
            self._keys.setdefault(f"{name}:{text}", collection)

    def _blocked(self, name: str, text: str) -> bool:
        if len(text) > MAX_VALUE_CHARS:
            self._faults.append(("value_too_long", f"{name}:{text[:100]}"))
            return True
        blocked = self.rules.blocks.get(name)
        if blocked is not None and blocked(text):
            self._faults.append(("value_blocked", f"{name}:{text}"))
            return True
        return False


def _text(value: Any) -> str:
    """A value as an identifier; empty for what is none. NUL, which no database takes, makes it none."""
    if isinstance(value, str):
        return value if "\0" not in value else ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _blocks(kind: IdentifierType) -> Callable[[str], bool]:
    exact = frozenset(blocked.value for blocked in kind.blocked if blocked.kind == "exact")
    patterns = [compile_pattern(blocked.value).search for blocked in kind.blocked if blocked.kind == "pattern"]
    return lambda text: text in exact or any(search(text) for search in patterns)


def _camel(name: str) -> str:
    first, *others = [part for part in name.split("_") if part] or [name]
    return first + "".join(_capitals(others))


def _capitals(words: Iterable[str]) -> Iterable[str]:
    return (word[:1].upper() + word[1:] for word in words)
