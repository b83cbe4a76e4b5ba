"""A query made ready to run: the one form that the stream, the backfill and the preview share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from headwater.profiles.language.accounts import Answers, of_account
from headwater.profiles.language.check import Kind, Level, check, kind_of
from headwater.profiles.language.conditions import Ask
from headwater.profiles.language.here import Here
from headwater.profiles.language.items import NAMES, Item, event_name
from headwater.profiles.language.keeping import Slot, State
from headwater.profiles.language.streams import Plan
from headwater.profiles.language.tree import Condition, Query, Reduced, Scalar, Size
from headwater.profiles.language.walking import Needs, columns

Traits = dict[str, Any]
Take = Callable[[State, Item], bool]
Answer = bool | str | int | float | list[str] | None
"""What a query says of a profile: yes or no, a value, a list, or None where a trait is absent."""


class Compiled(msgspec.Struct, frozen=True):
    """One query, ready to run. It holds nothing of any profile; states are the caller's.

    A state knows the items of one profile that it was given, in whichever order they came: those of one user for a
    definition of users and for an audience of accounts, and those of all users of the account for a trait of accounts.
    `now_ms` may not go back between questions to one state, since what is too old is forgotten.
    """

    kind: Kind
    level: Level
    events: frozenset[str]
    """The names by which `event_name` knows the items that matter; no others need be offered."""
    columns: dict[str, Needs]
    """What is read of the items of each name."""
    per_user: bool
    """Is this an audience of accounts, whose states are of users? Then `answers` and `of_account` are to be asked."""
    wants: Callable[[Item], bool]
    new_state: Callable[[], State]
    fold: Callable[[State, Item], bool]
    """Take an item in. Says whether the state changed; if not, no answer can have changed."""
    merge: Callable[[State, State], State]
    """The state of two profiles that are one. It changes neither."""
    evaluate: Callable[[State, Traits, int], tuple[Answer, int | None]]
    """The answer now, and the instant at which it may change although nothing comes; None if it cannot."""
    answers: Callable[[State, Traits, int], tuple[Answers, int | None]]
    """One user's answers for an audience of accounts, and when they may change although nothing comes."""
    of_account: Callable[[Iterable[Answers], Traits, int], tuple[bool, int | None]]
    """Whether an account is in its audience, by its users' answers and its own traits, and when that may change."""

    def value(self, state: State, traits: Traits, now_ms: int) -> Answer:
        """The answer now."""
        return self.evaluate(state, traits, now_ms)[0]

    def whole(self, states: Iterable[State]) -> State:
        """The state of all of these profiles together, a new one if there are none; none of these is changed.

        They are joined by twos, so that what is kept of thousands is copied a dozen times and not thousands of times.
        """
        some = list(states) or [self.new_state()]
        while len(some) > 1:
            last = some[-1:] if len(some) % 2 else []
            some = [self.merge(one, other) for one, other in zip(some[::2], some[1::2], strict=False)] + last
        return some[0]

    def due(self, state: State, traits: Traits, now_ms: int) -> int | None:
        """The next instant at which the answer may change although nothing comes; None if it cannot."""
        return self.evaluate(state, traits, now_ms)[1]

    def value_for_account(self, users: Iterable[tuple[State, Traits]], traits: Traits, now_ms: int) -> bool:
        """Whether an account is in its audience, from its users' states and traits and its own traits."""
        return self.of_account([self.answers(state, of_user, now_ms)[0] for state, of_user in users], traits, now_ms)[0]


dump: Callable[[State], bytes] = msgspec.msgpack.Encoder().encode
"""A state as bytes."""
load: Callable[[bytes], State] = msgspec.msgpack.Decoder(list[Any]).decode
"""A state from bytes. It fits the query that it was made for, as `show` writes it."""


def compile_query(query: Query, level: Level = "USERS") -> Compiled:
    """Make a query ready to run; it is checked first. Raises QueryError."""
    kind = kind_of(query)
    check(query, kind, level)
    plan = Plan()
    asked: list[Ask] = []
    whole = read = _nobody
    if level == "ACCOUNTS" and isinstance(query.body, Condition):
        asked, whole = of_account(query.body, plan)
    else:
        read = _body(query.body, plan)
    slots = tuple(plan.slots)
    prepare = _preparing(slots)

    def evaluate(state: State, traits: Traits, now_ms: int) -> tuple[Answer, int | None]:
        here = prepare(state, traits, now_ms)
        return read(here), here.due

    def answers(state: State, traits: Traits, now_ms: int) -> tuple[Answers, int | None]:
        here = prepare(state, traits, now_ms)
        return tuple(ask(here) for ask in asked), here.due

    def combine(users: Iterable[Answers], traits: Traits, now_ms: int) -> tuple[bool, int | None]:
        here = Here(list(users), traits, now_ms)
        return whole(here), here.due

    events = frozenset(slot.event for slot in slots)
    return Compiled(
        kind=kind,
        level=level,
        events=events,
        columns=columns(query),
        per_user=read is _nobody,
        wants=lambda item: event_name(item.type, item.name) in events,
        new_state=lambda: [slot.new() for slot in slots],
        fold=_folding(slots),
        merge=lambda one, other: [slot.merge(*both) for slot, *both in zip(slots, one, other, strict=True)],
        evaluate=evaluate,
        answers=answers,
        of_account=combine,
    )


def _nobody(_here: Any) -> Any:
    raise AssertionError("an audience of accounts is asked of users first, and nothing else is")


def _body(body: Condition | Scalar, plan: Plan) -> Callable[[Any], Any]:
    """The whole query as a function of Here. A trait that counts nothing is absent (3.2)."""
    if isinstance(body, Condition):
        return plan.ask(body)
    read, _ = plan.read(body, None)
    if isinstance(body, Size) or (isinstance(body, Reduced) and body.by == "count"):
        return lambda here: read(here) or None
    return read


def _preparing(slots: tuple[Slot, ...]) -> Callable[[State, Traits, int], Here]:
    """Forgets what cannot matter any more, and gives what questions are asked of."""
    bounded = [(place, slot.keep_ms, slot.key) for place, slot in enumerate(slots) if slot.keep_ms is not None]

    def prepare(state: State, traits: Traits, now_ms: int) -> Here:
        for place, keep_ms, key in bounded:
            held = state[place]
            if held and (held[0] if key is None else held[0][0]) < now_ms - keep_ms:
                del held[: bisect_left(held, now_ms - keep_ms, key=key)]
        return Here(state, traits, now_ms)

    return prepare


def _folding(slots: tuple[Slot, ...]) -> Callable[[State, Item], bool]:
    by_event: dict[str, list[Take]] = {}
    for slot in slots:
        by_event.setdefault(slot.event, []).append(slot.take)
    takes = {event: taken[0] if len(taken) == 1 else _each(taken) for event, taken in by_event.items()}

    def fold(state: State, item: Item) -> bool:
        # What event_name does, without the call.
        take = takes.get(item.name if item.type == "track" else NAMES.get(item.type, ""))
        return take is not None and take(state, item)

    return fold


def _each(takes: list[Take]) -> Take:
    def take(state: State, item: Item) -> bool:
        changed = False
        for each in takes:
            changed |= each(state, item)
        return changed

    return take
