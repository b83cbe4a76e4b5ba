"""The computations of a space, ready to run, and which of them an event or a trait may change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from headwater.profiles.computing.hearing import Heard, alike
from headwater.profiles.language import Compiled, QueryError, compile_query, find_cycle, parse, references
from headwater.spec.computation import Computation, holds
from headwater.spec.workspace import Workspace


class Ready(msgspec.Struct, frozen=True):
    """A computation that can run. `place` is its place among those of its space, what it refers to first."""

    place: int
    id: str
    counted_as: str
    computation: Computation
    compiled: Compiled
    heard: tuple[Heard, ...]
    traits: frozenset[str]
    blank: bool
    """Does it hold, or have a value, for a profile of which nothing is known? Then every profile must be looked at."""


class Rules(msgspec.Struct, frozen=True):
    """What is computed in one space."""

    space_id: str
    ready: tuple[Ready, ...]
    by_event: dict[str, tuple[Ready, ...]]
    by_trait: dict[str, tuple[Ready, ...]]
    accounts: tuple[Ready, ...]
    """Those of accounts, which are asked of an account and counted of its users."""
    of_accounts: dict[str, str]
    """The audiences of accounts that queries of people name: their keys, by id. Disabled ones are as they were."""
    traits: frozenset[str]
    """Every trait that a query reads."""
    refused: dict[str, str]
    """Why a computation cannot run, by its id."""

    def by_id(self) -> dict[str, Ready]:
        """Those that can run, by the computation's id."""
        return {each.id: each for each in self.ready}


def compile_rules(workspace: Workspace) -> dict[str, Rules]:
    """What is computed, by space; spaces in which nothing is are left out."""
    of_space: defaultdict[str, list[Computation]] = defaultdict(list)
    for each in workspace.computations:
        of_space[each.space_id].append(each)
    some = {space_id: found for space_id, found in of_space.items() if any(each.enabled for each in found)}
    return {space_id: _compile(space_id, found) for space_id, found in some.items()}


def _compile(space_id: str, there: Sequence[Computation]) -> Rules:
    compiled: dict[str, tuple[Computation, Compiled, frozenset[str]]] = {}
    refused: dict[str, str] = {}
    for each in there:
        if not each.enabled:
            continue
        try:
            query = parse(each.query)
            compiled[each.key] = each, compile_query(query, each.level), references(query).traits
        except QueryError as error:
            refused[each.id] = str(error)
    queries = {key: parse(computation.query) for key, (computation, _, _) in compiled.items()}
    while (cycle := find_cycle(queries)) is not None:
        for key in set(cycle) & compiled.keys():
            refused[compiled.pop(key)[0].id] = f"It refers to itself: {' > '.join(cycle)}."
            del queries[key]
    ordered = _in_order({key: traits for key, (_, _, traits) in compiled.items()})
    ready = tuple(_ready(place, *compiled[key]) for place, key in enumerate(ordered))
    by_event: defaultdict[str, list[Ready]] = defaultdict(list)
    by_trait: defaultdict[str, list[Ready]] = defaultdict(list)
    for each in ready:
        for event in each.compiled.events:
            by_event[event].append(each)
        for trait in each.traits:
            by_trait[trait].append(each)
    return Rules(
        space_id,
        ready,
        {event: tuple(those) for event, those in by_event.items()},
        {trait: tuple(those) for trait, those in by_trait.items()},
        tuple(each for each in ready if each.computation.level == "ACCOUNTS"),
        _named_by_people(ready, there),
        frozenset(by_trait),
        refused,
    )


def _named_by_people(ready: Iterable[Ready], there: Iterable[Computation]) -> dict[str, str]:
    named = {trait for one in ready if one.computation.level == "USERS" for trait in one.traits}
    of_accounts = [one for one in there if one.level == "ACCOUNTS" and one.kind == "audience"]
    return {one.id: one.key for one in of_accounts if one.key in named}


def _ready(place: int, computation: Computation, compiled: Compiled, traits: frozenset[str]) -> Ready:
    whole = compiled.of_account([], {}, 0)[0] if compiled.per_user else None
    nothing = compiled.value(compiled.new_state(), {}, 0) if whole is None else whole
    blank = holds(computation.kind, nothing)
    heard = alike(computation.connections)
    return Ready(place, computation.id, computation.counted_as, computation, compiled, heard, traits, blank)


def _in_order(traits: Mapping[str, frozenset[str]]) -> list[str]:
    """Keys, each after those that it refers to. There is no cycle."""
    ordered: dict[str, None] = {}

    def put(key: str) -> None:
        if key not in ordered:
            for other in sorted(traits[key] & traits.keys()):
                put(other)
            ordered[key] = None

    for key in traits:
        put(key)
    return list(ordered)
