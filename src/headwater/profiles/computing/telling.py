"""The calls by which destinations hear of a change (contract: profiles-governance 3.10, 3.11). Pure.

One change makes, for each call of its connections, one message an identifier; destinations that are to hear the very
same share it. A message's id follows from what it says, so that one that is sent again after a crash is a duplicate.
The `integrations` object names the destinations, and nobody else is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import chain, islice, product
from typing import Any, Final

import msgspec

from headwater.profiles.computing.hearing import Heard, alike
from headwater.profiles.computing.joining import Linked
from headwater.profiles.computing.standing import Change
from headwater.spec.computation import MOBILE_IDS, Call, Computation, Connection, IdSync, Value, holds
from headwater.spec.limits import MAX_MESSAGE_BYTES
from headwater.spec.timestamps import format_moment

MAX_MESSAGES: Final = {"USERS": 200, "ACCOUNTS": 10_000}
"""Of one change for one call: who has more identifiers, or people, than that is not told of under the others."""

Ids = tuple[tuple[str, str], ...]
"""The identifiers that one message carries, as type and value, the first being the one that it is for."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Told(msgspec.Struct, frozen=True):
    """Whom a change is about.

    `identifiers` are all of the profile, oldest first; `traits` what connections may want along. An account has
    `people`: those of the linked users who are told.
    """

    profile_id: str
    identifiers: tuple[str, ...]
    traits: Mapping[str, Any]
    people: tuple[Linked, ...] = ()


def messages(
    change: Change,
    told: Told,
    now: int,
    *,
    only: Connection | None = None,
    among: Iterable[Connection] | None = None,
) -> list[bytes]:
    """The calls to append to the log, as JSON, for all connections or those `among` them that may hear.

    `only` has one connection told, as if it had heard nothing before. A call of more than 32 KB is cut after that:
    nobody takes it, and it shows as refused.
    """
    computation = change.ready.computation
    some = among if only is None else (only,)
    found: list[bytes] = []
    for heard in change.ready.heard if some is None else alike(some):
        if not _is_asked(heard.call, computation, change.value):
            continue
        salt = "" if only is None else f"{only.id} {only.resync}"
        for owner, ids in islice(_addressed(change, told, heard), MAX_MESSAGES[computation.level]):
            body = _body(change, heard.call, told, (owner, ids), now)
            body["messageId"] = _message_id(change, told.profile_id, heard, ids, salt)
            body["integrations"] = _integrations(heard.by)
            if heard.by[0].settings:
                body["context"]["personas"]["audience_settings"] = heard.by[0].settings
            found.append(_encode(body)[: MAX_MESSAGE_BYTES + 1])
    return found


def _is_asked(call: Call, computation: Computation, value: Value) -> bool:
    if call.type == "group" and computation.level != "ACCOUNTS":
        return False
    return call.on == "changed" or (call.on == "entered") == holds(computation.kind, value)


def _addressed(change: Change, told: Told, heard: Heard) -> Iterable[tuple[str, Ids]]:
    """Whose each message is, and its identifiers: the account's, or those of its people."""
    if change.ready.computation.level == "USERS" or heard.call.type == "group":
        return ((told.profile_id, ids) for ids in _own(change, told, heard))
    people = told.people
    return ((one.profile_id, ids) for one in people for ids in _one_by_one(one.to, one.identifiers, heard, change))


def _own(change: Change, told: Told, heard: Heard) -> Iterable[Ids]:
    computation = change.ready.computation
    if computation.level == "ACCOUNTS":
        return [(one,) for one in _of_types(change.to, {"group_id"})]
    if heard.sync and holds(computation.kind, change.value):
        return _in_step(change.to, told.identifiers, heard.sync)
    plain = _one_by_one(change.to, told.identifiers, heard, change)
    return _everywhere(change.to, heard.sync, plain) if heard.sync else plain


def _one_by_one(to: tuple[str, ...], known: tuple[str, ...], heard: Heard, change: Change) -> list[Ids]:
    """One message for each value of the types that people are told under."""
    computation = change.ready.computation
    types = {"user_id", "email"} | {one.external_id for one in heard.sync}
    types |= MOBILE_IDS if heard.mobile else set()
    types |= {"anonymous_id"} & set(computation.known_by) if computation.level == "USERS" else set()
    with_email = _of_types(known, {"email"})[-1:]
    return [(one, *with_email) if one[0] != "email" else (one,) for one in _of_types(to, types)]


def _in_step(to: tuple[str, ...], known: tuple[str, ...], sync: tuple[IdSync, ...]) -> Iterable[Ids]:
    """One message for each choice of the values that are asked for, unless none of these is to be told."""
    if not _of_types(to, {one.external_id for one in sync}):
        return ()
    choices: list[list[tuple[str, str]]] = []
    for one in sync:
        values = _of_types(known, {one.external_id})
        values = {"first": values[:1], "last": values[-1:], "all": values}[one.strategy]
        if values:
            choices.append([(one.map_to or one.external_id, value) for _, value in values])
    return product(*choices)


def _everywhere(to: tuple[str, ...], sync: tuple[IdSync, ...], plain: list[Ids]) -> list[Ids]:
    """Every choice of the values that can have been told, under the names that they were told under, then all alone.

    Who was told of these together may know them together only. Those that the strategies choose now come first, and
    none that is told alone gives way to a choice, however many there are.
    """
    every = tuple(msgspec.structs.replace(one, strategy="all") for one in sync)
    found: dict[frozenset[tuple[str, str]], Ids] = {}
    for ids in islice(chain(_in_step(to, to, sync), _in_step(to, to, every)), MAX_MESSAGES["USERS"]):
        found.setdefault(frozenset(ids), ids)
    alone = {frozenset(ids): ids for ids in plain if frozenset(ids) not in found}
    return [*islice(found.values(), max(0, MAX_MESSAGES["USERS"] - len(alone))), *alone.values()]


def _of_types(identifiers: Iterable[str], types: set[str]) -> list[tuple[str, str]]:
    found = [(kind, value) for kind, _, value in (each.partition(":") for each in identifiers) if kind in types]
    return found


def _body(change: Change, call: Call, told: Told, to: tuple[str, Ids], now: int) -> dict[str, Any]:
    computation = change.ready.computation
    key, value = computation.key, change.value
    along = {call.mapping.get(name, name): told.traits[name] for name in call.traits if name in told.traits}
    context: dict[str, Any] = {"personas": _personas(computation)}
    body: dict[str, Any] = {"type": call.type, "timestamp": format_moment(now), "context": context}
    traits, others = _address(body, to[1], to[0])
    if others:
        context["externalIds"] = others
    if call.type == "track":
        noun = "audience_key" if computation.kind == "audience" else "trait_key"
        body["event"] = call.name
        body["properties"] = {**along, noun: key, key: value}
        if traits:
            context["traits"] = traits
    else:
        body["traits"] = {**along, **traits, key: value}
    return body


def _address(body: dict[str, Any], ids: Ids, profile_id: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Put the identifiers where they belong; returns what belongs among traits, and what among external ids."""
    traits: dict[str, Any] = {}
    others: list[dict[str, str]] = []
    for kind, value in ids:
        match kind:
            case "user_id":
                body["userId"] = value
            case "anonymous_id":
                body["anonymousId"] = value
            case "group_id":
                body["groupId"] = value
            case "email":
                traits["email"] = value
            case _:
                others.append({"id": value, "type": kind, "collection": "users", "encoding": "none"})
    if "userId" not in body and "anonymousId" not in body:
        body["anonymousId"] = profile_id  # every call has one of the two (contract: connections 1.7)
    return traits, others


def _personas(computation: Computation) -> dict[str, Any]:
    return {
        "computation_class": computation.kind,
        "computation_id": computation.id,
        "computation_key": computation.key,
        "namespace": computation.space_id,
        "space_id": computation.space_id,
    }


def _integrations(connections: Iterable[Connection]) -> dict[str, Any]:
    wishes: dict[str, Any] = {"All": False}
    warehouses = [each.destination_id for each in connections if each.kind == "warehouse"]
    wishes |= {each.destination_id: True for each in connections if each.kind == "destination"}
    wishes["Warehouses"] = {"all": False, "warehouseIds": warehouses}
    return wishes


def _message_id(change: Change, profile_id: str, heard: Heard, ids: Ids, salt: str) -> str:
    computation, call = change.ready.computation, heard.call
    by = [each.id for each in heard.by]
    told = [computation.id, profile_id, change.changes, change.why, call.id, call.type, call.name, ids, by, salt]
    return "personas_" + hashlib.sha256(_encode(told)).hexdigest()[:40]
