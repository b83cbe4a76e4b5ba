"""The members of an audience, or the values of a computed trait, as a CSV file (profiles-governance 3.12, 8.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import change
from headwater.manage.computations import told
from headwater.manage.defining import find_computation
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import Problem, Refused
from headwater.manage.tabulating import line
from headwater.profiles.computing.standing import decode
from headwater.spec.computation import Computation, holds
from headwater.spec.errors import Unavailable
from headwater.store import audit, leases, people, standing
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

REST_SECONDS = 300
"""A file of the same audience or computed trait is given this often (8.2)."""

_AT_ONCE = 500


class GetMembersCsv(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience or computed trait."""

    space_id: SpaceId
    id: Annotated[str, Meta(min_length=1, max_length=255, description="The id of the audience or computed trait.")]


class MembersCsv(Shape, frozen=True, kw_only=True):
    """A part of the file: whole lines, the first of which names the columns."""

    lines: str


@operation(
    "GET",
    "/headwater/spaces/{spaceId}/computations/{id}/members.csv",
    scope="profiles:read",
    tag="Audiences",
    gives="text/csv",
)
async def get_members_csv(desk: Desk, request: GetMembersCsv) -> AsyncGenerator[MembersCsv]:
    """Download the members of an audience, or the values of a computed trait, as CSV; once in five minutes each."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    found = find_computation(workspace, space, request.id)
    await _begin(desk, found)
    columns = ["key", "external_ids"] if found.kind == "audience" else ["key", "value", "external_ids"]
    yield MembersCsv(lines=line(columns))
    after = ""
    while True:
        lines, after, more = await desk.store.read(lambda connection, last=after: _page(connection, found, last))
        if lines:
            yield MembersCsv(lines="".join(lines))
        if not more:
            return
        if desk.stopping.is_set():
            raise Unavailable("The house stops.")


async def _begin(desk: Desk, found: Computation) -> None:
    """Write down who asks, since the file says who is in it. Raises Refused 429 when the last one is not long ago."""
    name = f"members-csv {found.id}"

    def work(connection: Connection) -> tuple[None, list[audit.Entry]]:
        if not leases.claim(connection, name, new_id(), REST_SECONDS):
            wait = leases.left(connection, name)
            said = f"A file is given once in five minutes. Ask again in {wait} seconds."
            raise Refused([Problem("RequestError", said)], status=429, retry_after=wait)
        return None, [told(desk, found, "CSV Downloaded")]

    await change(desk, work)


def _page(connection: Connection, found: Computation, after: str) -> tuple[list[str], str, bool]:
    """The lines of those among the next profiles who are in it, where to go on, and whether there is more."""
    rows = standing.standings_after(connection, after, _AT_ONCE)
    members = [
        (profile_id, value.value)
        for profile_id, held in rows
        if (value := decode(held).values.get(found.id)) is not None and holds(found.kind, value.value)
    ]
    canonical, known = people.look(connection, [profile_id for profile_id, _ in members], {})
    lines: list[str] = []
    for profile_id, value in members:
        key = canonical.get(profile_id, profile_id)
        ids = msgspec.json.encode(_by_type(known[key].identifiers if key in known else ())).decode()
        lines.append(line([key, ids] if found.kind == "audience" else [key, value, ids]))
    return lines, rows[-1][0] if rows else after, len(rows) == _AT_ONCE


def _by_type(identifiers: Iterable[str]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for identifier in identifiers:
        kind, _, value = identifier.partition(":")
        ids.setdefault(kind, []).append(value)
    return {kind: ids[kind] for kind in sorted(ids)}
