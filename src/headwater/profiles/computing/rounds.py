"""Looking at profiles because it is time to: a window passed, a merge was undone, an account's people did something.

Nothing has to come for this. Who is due longest is looked at first, some hundred at a time, between two chunks.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any, Final

from headwater.profiles.computing.catalogue import Ready, Rules
from headwater.profiles.computing.findings import OWNER
from headwater.profiles.computing.people import Person
from headwater.profiles.computing.stage import Stage, is_of
from headwater.profiles.computing.standing import Ask, values
from headwater.profiles.computing.standing import decode as decode_standing
from headwater.profiles.computing.traits import read_traits
from headwater.profiles.holding import Counts, decode_counts
from headwater.profiles.known import State
from headwater.profiles.known import decode as decode_state
from headwater.spec.computation import Value
from headwater.store import accounts, known, people, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.profiles.holding import Holding
    from headwater.store import Store

AT_ONCE: Final = 300
LONGEST_SECONDS: Final = 1.0
"""For accounts, of which one may have very many people; then events and others have their turn."""

MAX_USERS: Final = 10_000
"""Of an account; the others do not count for it."""

User = tuple[list[Counts], list[State], dict[str, Value]]
"""What is counted and known of one of an account's people, and its values."""


async def look_at_those_due(stage: Stage, holding: Holding, store: Store, now: int) -> int:
    """Work out the values of profiles that are due; says how many there were."""
    due, wanted = await store.read(lambda connection: _due(connection, now))
    ids = {**due, **wanted}
    if not ids:
        return 0
    left = await look_at(stage, holding, store, ids, now, wanted=wanted)
    seen = [id for id in ids if (person := stage.people.of(id)) is None or person.id not in left]
    stage.is_due(seen, now)
    stage.found.looked_at.update({id: wanted[id] for id in seen if id in wanted})
    return len(seen)


async def look_at(
    stage: Stage, holding: Holding, store: Store, ids: Iterable[str], now: int, *, wanted: Container[str] = ()
) -> set[str]:
    """Work out the values of profiles: of people what is due, all of those who are `wanted`; of accounts everything.

    Returns those that were left for another time: no account is begun when all of them took LONGEST_SECONDS.
    """
    await stage.people.look(ids, again=True)
    found = {person.id: person for id in ids if (person := stage.people.of(id)) is not None}
    await holding.learn([member for person in found.values() for member in person.members], counting=True)
    left: set[str] = set()
    asked, started = False, time.monotonic()
    for person in found.values():
        rules = stage.rules.get(person.space_id)
        if rules is None:
            continue
        if person.collection == "accounts":
            if asked and time.monotonic() - started >= LONGEST_SECONDS:
                left.add(person.id)
                continue
            asked = True
            await _account(stage, store, person, rules, now)
        else:
            everything = person.id in wanted or person.is_new
            places = range(len(rules.ready)) if everything else _places(person, rules, now)
            stage.settle(person, rules, places, now)
    return left


def _due(connection: Connection, now: int) -> tuple[dict[str, int], dict[str, int]]:
    """Those that are due, and those that somebody wants to be looked at."""
    wanted = standing.due(connection, standing.ANYWHERE, now, AT_ONCE)
    return standing.due(connection, OWNER, now, AT_ONCE), wanted


def _places(person: Person, rules: Rules, now: int) -> list[int]:
    """The computations that are due; all, if another partition wants the profile to be looked at."""
    held = person.standing.values
    due = [
        each.place
        for each in rules.ready
        if (one := held.get(each.id)) is not None and one.due is not None and one.due <= now
    ]
    return due or [each.place for each in rules.ready]


async def _account(stage: Stage, store: Store, person: Person, rules: Rules, now: int) -> None:
    """Work out the values of an account, from what is counted of its people and known of it."""
    asked = [ready for ready in rules.accounts if is_of(ready, person) and stage.is_asked(ready, person)]
    users, identifiers = await store.read(lambda connection: _users(connection, person.id))
    people_told = tuple(sorted(identifiers.items()))
    places = [each.place for each in asked]
    try:
        traits = stage.traits(person, rules.traits)
        stage.ask(person, rules, places, traits, _answer(users, rules), now=now, people=people_told)
    except Exception as error:
        stage.failed("", error)


def _answer(users: list[User], rules: Rules) -> Ask:
    theirs: list[dict[str, Any]] = []
    for _, states, computed in users:
        theirs.append(read_traits(states, rules.traits) | {k: v for k, v in computed.items() if k in rules.traits})

    def answer(ready: Ready, traits: dict[str, Any], now: int) -> tuple[Value, int | None]:
        name, compiled = ready.counted_as, ready.compiled
        merged = [compiled.whole(each[name] for each in counts if name in each) for counts, _, _ in users]
        if not compiled.per_user:
            return compiled.evaluate(compiled.whole(merged), traits, now)
        answers = [compiled.answers(state, of_user, now) for state, of_user in zip(merged, theirs, strict=True)]
        value, due = compiled.of_account([each for each, _ in answers], traits, now)
        instants = [at for at in (due, *(at for _, at in answers)) if at is not None]
        return value, min(instants, default=None)

    return answer


def _users(connection: Connection, account_id: str) -> tuple[list[User], dict[str, tuple[str, ...]]]:
    ids = accounts.users_of(connection, account_id)[:MAX_USERS]
    counts = standing.counted_of_people(connection, ids)
    states = known.of_people(connection, ids)
    stands = standing.standings(connection, ids)
    users = [
        (
            [decode_counts(each) for each in counts.get(id, ())],
            [decode_state(each) for each in states.get(id, ())],
            values(decode_standing(stands[id])) if id in stands else {},
        )
        for id in ids
    ]
    _, found = people.look(connection, ids, {})
    return users, {id: one.identifiers for id, one in found.items()}
