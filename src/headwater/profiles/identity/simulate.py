"""What other rules would do: the same events, resolved twice in memory, under the rules in force and under others.

Both start with an empty graph, so that the difference is the rules' alone. Nothing is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from headwater.profiles.identity.resolve import compile_space, resolve
from headwater.profiles.identity.view import NoGraph, View
from headwater.spec.event import Event
from headwater.spec.graph import Changes, Violation
from headwater.spec.space import Space

EXAMPLES: Final = 20
_SLICE: Final = 64
_NO_LIMIT: Final = 1 << 62
_SHOWN: Final = 20


class Difference(msgspec.Struct, frozen=True):
    """A profile under one set of rules, as identifiers, that is several under the other."""

    parts: tuple[tuple[str, ...], ...]


class Trial(msgspec.Struct, frozen=True):
    """What one set of rules makes of the events."""

    profiles: int
    merges: int
    violations: dict[str, int]
    examples: tuple[Violation, ...]


class Comparison(msgspec.Struct, frozen=True):
    """What other rules would change. `merged` are profiles that several of today would become; `split` the reverse.

    `together` and `asunder` count all of these; the lists hold some examples.
    """

    events: int
    now: Trial
    then: Trial
    together: int
    asunder: int
    merged: tuple[Difference, ...]
    split: tuple[Difference, ...]


def simulate(space: Space, changed: Space, events: Iterable[Event]) -> Comparison:
    """Compare a space with the same space under other rules. Raises SetupError for rules that cannot be compiled."""
    now, then = _Run(space), _Run(changed)
    total = 0
    waiting = iter(events)
    while some := list(islice(waiting, _SLICE)):
        total += len(some)
        now.take(some)
        then.take(some)
    merged, split = _several(then.owners, now.owners), _several(now.owners, then.owners)
    return Comparison(
        total,
        now.told(),
        then.told(),
        len(merged),
        len(split),
        tuple(merged[:EXAMPLES]),
        tuple(split[:EXAMPLES]),
    )


class _Run:
    """One set of rules and what it made so far."""

    def __init__(self, space: Space) -> None:
        self._compiled = compile_space(space)
        self._view = View(NoGraph(), _NO_LIMIT)
        self._violations: Counter[str] = Counter()
        self._examples: list[Violation] = []
        self._identifiers: list[str] = []
        self._profiles = self._merges = 0

    def take(self, events: list[Event]) -> None:
        changes = Changes()
        resolve(self._compiled, events, self._view, changes)
        self._profiles += len(changes.profiles) - len(changes.merges)
        self._merges += len(changes.merges)
        self._identifiers += [link.identifier for link in changes.links]
        self._violations.update(violation.kind for violation in changes.violations)
        self._examples += changes.violations[: max(0, EXAMPLES - len(self._examples))]

    @property
    def owners(self) -> dict[str, str]:
        """Where each identifier leads in the end."""
        found = {identifier: self._view.owners.get(identifier) for identifier in self._identifiers}
        return {identifier: owner for identifier, owner in found.items() if owner}

    def told(self) -> Trial:
        return Trial(self._profiles, self._merges, dict(self._violations), tuple(self._examples))


def _several(whole: dict[str, str], pieces: dict[str, str]) -> list[Difference]:
    """The profiles of one partition whose identifiers are in several of the other; what it lacks does not count."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for identifier, owner in whole.items():
        piece = pieces.get(identifier)
        if piece is not None:
            found[owner][piece].append(identifier)
    return [
        Difference(tuple(tuple(part[:_SHOWN]) for part in parts.values())) for parts in found.values() if len(parts) > 1
    ]
