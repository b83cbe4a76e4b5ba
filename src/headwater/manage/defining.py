"""Definitions of audiences and computed traits: what may be saved, and where each stands. Pure.

A query is read and held against the rules of its kind and level (contract: profiles-governance 3.13). Names that it
refers to may be unknown: they are traits that nobody has yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final

from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.profiles.language import Query, QueryError, check, find_cycle, parse, refuse_traits
from headwater.spec.computation import KNOWN_BY, Computation, Kind, Level, Run
from headwater.spec.errors import SenderError
from headwater.spec.naming import snake_case
from headwater.spec.space import Space
from headwater.spec.workspace import Workspace

NO_LINKED: Final = "Linked audiences read a data graph, which is not built: use USERS or ACCOUNTS."
WORDS: Final[dict[Kind, str]] = {"audience": "Audience", "trait": "Computed Trait"}
"""What each kind is called in the audit trail (7.5)."""

_OF_ACCOUNTS: Final = (
    "this is a computed trait of accounts, which people do not have; make an audience of accounts of it, "
    "and name its key here"
)
_COLLECTIONS: Final = {"USERS": "users", "ACCOUNTS": "accounts"}
_STATUS: Final = {
    "PREPARING": "Preparing",
    "BACKFILLING": "Backfilling",
    "COMPUTING": "Computing",
    "LIVE": "Live",
    "FAILED": "Failed",
}
_PROCESSED: Final = ("PREPARING", "BACKFILLING", "COMPUTING")
_LONGEST_KEY: Final = 200


def find_computation(workspace: Workspace, space: Space, id: str, kind: Kind | None = None) -> Computation:
    """An audience or computed trait of a space by its id. Raises SenderError 404."""
    for one in workspace.computations:
        if one.id == id and one.space_id == space.id and kind in (None, one.kind):
            return one
    raise missing({"audience": "audience", "trait": "computed trait", None: "audience or computed trait"}[kind])


def key_of(name: str) -> str:
    """The key under which values show: the name in snake case (3.7). Raises Refused for a name that gives none."""
    key = snake_case(name)[:_LONGEST_KEY]
    if not key:
        raise invalid("name", '"name" must hold a letter a-z or a digit: its snake case is the key')
    return key


def account_traits(computations: Iterable[Computation], space: Space) -> frozenset[str]:
    """The keys of the computed traits of accounts, which a definition of people may not name (3.8)."""
    theirs = (one for one in computations if one.space_id == space.id and one.kind == "trait")
    return frozenset(one.key for one in theirs if one.level == "ACCOUNTS")


def read_query(
    text: str,
    kind: Kind,
    level: Level,
    *,
    account_traits: Set[str] = frozenset(),
    field: str = "definition.query",
) -> Query:
    """Read a query and hold it against its rules. Raises Refused that says where it is wrong, and what was expected."""
    try:
        query = parse(text)
        check(query, kind, level)
        if level == "USERS":
            refuse_traits(query, account_traits, _OF_ACCOUNTS)
    except QueryError as error:
        data = {
            "expected": error.sentence,
            "position": error.position,
            "line": error.line,
            "column": error.column,
            "excerpt": error.excerpt,
        }
        raise Refused([Problem("input-validation", str(error), field, data)]) from None
    return query


def cycle(computations: Iterable[Computation], space_id: str, key: str, query: Query) -> tuple[str, ...] | None:
    """The keys on a way from a definition over what it refers to back to itself, or None, if `key` meant `query`."""
    definitions: dict[str, Query] = {}
    for one in computations:
        if one.space_id == space_id and one.key != key:
            try:
                definitions[one.key] = parse(one.query)
            except QueryError:
                continue  # it was saved by other rules, and is shown as failed
    return find_cycle({**definitions, key: query})


def refuse_cycle(computations: Iterable[Computation], space_id: str, key: str, query: Query) -> None:
    """Raises Refused for a definition that would refer to itself, directly or through others (3.7)."""
    way = cycle(computations, space_id, key, query)
    if way is not None:
        message = f"The definition would create a cycle: {' refers to '.join(way)}."
        raise invalid("definition.query", message)


def known_by_of(space: Space, level: Level, types: Sequence[str] | None, *, field: str) -> tuple[str, ...]:
    """The identifier types of which a profile must have one. Raises Refused for one that the space does not have."""
    collection = _COLLECTIONS[level]
    theirs = [kind.name for kind in space.identifiers if kind.collection == collection]
    if not theirs:
        raise invalid("audienceType", f"The space has no identifier type of {collection}, such as group_id.")
    if types is None:
        return KNOWN_BY if level == "USERS" else tuple(theirs)
    if not types:
        raise invalid(field, f'"{field}" must name an identifier type, or be left out')
    for name in types:
        if name not in theirs:
            raise invalid(field, f'"{field}" names {name[:100]!r}, which is no identifier type of {collection} here')
    return tuple(dict.fromkeys(types))


def history_of(wanted: bool | None, days: int | None, *, field: str) -> tuple[bool, int]:
    """Whether events count that came before, and how many days back (0 is all). Raises Refused for days without it."""
    if days is not None and wanted is False:
        raise invalid(field, f'"{field}" is for definitions with "includeHistoricalData"')
    return wanted is not False, days or 0


def status_of(computation: Computation, run: Run | None) -> str:
    """Segment's word for where a computation stands (3.9)."""
    if not computation.enabled:
        return "Disabled"
    if run is None or run.version != computation.version:
        return "Preparing"
    return _STATUS[run.phase]


def refuse_locked(computation: Computation, run: Run | None, *, noun: str) -> None:
    """Raises SenderError 409 while the version is being worked out (3.7)."""
    here = run is not None and run.version == computation.version and run.phase in _PROCESSED
    if here and computation.enabled:
        raise SenderError(
            f"The {noun} is locked while it is processed ({status_of(computation, run)}); it may be disabled.",
            code="conflict",
            status=409,
        )


def refuse_enabled(computation: Computation, *, noun: str) -> None:
    """Raises SenderError 409 for what is still at work: it must be disabled before it is removed (3.7)."""
    if computation.enabled:
        raise SenderError(f"The {noun} is enabled; disable it before you remove it.", code="conflict", status=409)
