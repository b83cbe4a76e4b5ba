"""Who is told of a computation, and with which calls: what connections and activations may say. Pure.

A connection that says nothing makes the calls of `default_calls`, as its settings have them; the first activation that
is added takes their place (contract: profiles-governance 3.10, 3.11).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from headwater.manage.problems import invalid, missing
from headwater.spec.computation import (
    MAX_ID_SYNC,
    MAX_SYNC_ALL,
    AccountsAs,
    Call,
    Computation,
    Connection,
    IdSync,
    default_calls,
    whole_call,
)
from headwater.spec.errors import SenderError
from headwater.spec.space import Space
from headwater.spec.typed import converter

ACTIVATED: Final = "act_"
"""What the ids of calls begin with that were added as activations; the default calls have other ids."""

_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EventName = Annotated[str, Meta(min_length=1, max_length=200)]


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Headwater reads of a connection's settings; the rest goes along as `audience_settings`.

    `sendIdentify` is the call that tells the value itself: an identify call, and of accounts, by `accountsAs`, a group
    call for each or an identify call for each of its people. The names are those of the track calls. `traits` are
    traits of the profile to send along with every call.
    """

    send_identify: bool = True
    send_track: bool = True
    accounts_as: AccountsAs = "group"
    entered_name: EventName = "Audience Entered"
    exited_name: EventName = "Audience Exited"
    computed_name: EventName = "Trait Computed"
    mobile_ids: bool = False
    traits: Annotated[tuple[str, ...], Meta(max_length=100)] = ()


def new_id(prefix: str) -> str:
    """A new id of a connection or activation."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(27))


def read_settings(given: dict[str, Any]) -> ConnectionSettings:
    """What Headwater reads of them. Raises Refused."""
    try:
        settings = _as_settings(given)
    except msgspec.ValidationError as error:
        raise invalid("connectionSettings", f'"connectionSettings" is not valid: {error}') from None
    if not settings.send_identify and not settings.send_track:
        raise invalid("connectionSettings", "With neither sendIdentify nor sendTrack nothing would be told.")
    return settings


def calls_of(computation: Computation, settings: ConnectionSettings) -> tuple[Call, ...]:
    """The calls that are made when nobody says which."""
    names = {
        "entered": settings.entered_name,
        "exited": settings.exited_name,
        "computed": settings.computed_name,
    }
    made = default_calls(computation.kind, computation.level, settings.accounts_as)
    return tuple(
        msgspec.structs.replace(call, name=names.get(call.id, call.name), traits=settings.traits)
        for call in made
        if (settings.send_track if call.type == "track" else settings.send_identify)
    )


def activated_as(computation: Computation, calls: Iterable[Call], settings: ConnectionSettings) -> tuple[Call, ...]:
    """Activations as the settings have them now."""
    whole = whole_call(computation.level, settings.accounts_as)
    return tuple(call if call.type == "track" else msgspec.structs.replace(call, type=whole) for call in calls)


def read_id_sync(space: Space, wanted: Sequence[IdSync]) -> tuple[IdSync, ...]:
    """Which identifiers are told (3.11). Raises Refused for too many, or a type that the space does not have."""
    field = "idSyncConfiguration"
    if len(wanted) > MAX_ID_SYNC:
        raise invalid(field, f'"{field}" holds at most {MAX_ID_SYNC} identifier types')
    if sum(one.strategy == "all" for one in wanted) > MAX_SYNC_ALL:
        raise invalid(field, f'"{field}" has the strategy "all" for at most {MAX_SYNC_ALL} identifier types')
    types = {kind.name for kind in space.identifiers}
    for place, one in enumerate(wanted):
        if one.external_id not in types:
            where = f"{field}[{place}].externalId"
            raise invalid(where, f'"{where}" is no identifier type of the space: {one.external_id[:100]!r}')
    if len({one.external_id for one in wanted}) < len(wanted):
        raise invalid(field, f'"{field}" names an identifier type twice')
    return tuple(wanted)


def find_connection(computation: Computation, id: str) -> Connection:
    """A connection by its id, or by that of its destination. Raises SenderError 404."""
    for one in computation.connections:
        if id in (one.id, one.destination_id):
            return one
    raise missing("connection")


def put(computation: Computation, connection: Connection) -> tuple[Connection, ...]:
    """All connections, with this one in the place of the one with its id, or at the end."""
    others = [one for one in computation.connections if one.id != connection.id]
    if len(others) == len(computation.connections):
        return (*others, connection)
    return tuple(connection if one.id == connection.id else one for one in computation.connections)


def activations(computation: Computation) -> list[tuple[Connection, Call]]:
    """The calls of all connections."""
    return [(connection, call) for connection in computation.connections for call in connection.calls]


def activation_id(connection: Connection, call: Call) -> str:
    """The id under which a call is an activation of its audience."""
    return call.id if call.id.startswith(ACTIVATED) else f"{connection.id}.{call.id}"


def find_activation(computation: Computation, id: str) -> tuple[Connection, Call]:
    """A connection and its call by the id of the activation. Raises SenderError 404."""
    for connection, call in activations(computation):
        if activation_id(connection, call) == id:
            return connection, call
    raise missing("activation")


def activate(connection: Connection, call: Call) -> Connection:
    """The connection with one more call, which takes the place of the default ones."""
    return with_calls(connection, (*(one for one in connection.calls if one.id.startswith(ACTIVATED)), call))


def with_calls(connection: Connection, calls: Iterable[Call], *, resync: bool = False) -> Connection:
    """The connection with these calls; `resync` has all of it told again."""
    return msgspec.structs.replace(connection, calls=tuple(calls), resync=connection.resync + resync)


def refuse_used(computations: Iterable[Computation], destination_id: str, *, noun: str) -> None:
    """Raises SenderError 409 when a computation tells this destination or warehouse of its changes (public-api 3)."""
    for one in computations:
        if any(each.destination_id == destination_id for each in one.connections):
            what = "audience" if one.kind == "audience" else "computed trait"
            message = f'The {noun} is connected to the {what} "{one.name}"; disconnect it there before you remove it.'
            raise SenderError(message, code="conflict", status=409)


_as_settings = converter(ConnectionSettings)
