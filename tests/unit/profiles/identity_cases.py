"""Events and graphs for the tests of identity: short forms made whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.contracts.identity import GraphInMemory
from headwater.profiles.identity.resolve import Compiled, Resolved, compile_space, resolve
from headwater.profiles.identity.view import View
from headwater.spec.event import Event
from headwater.spec.graph import Changes
from headwater.spec.space import IdentifierType, Space

START = 1_700_000_000_000
DAY = 86_400_000
WORKED = ({"name": "user_id", "limit": 1, "priority": 1}, {"name": "email", "priority": 2}, {"name": "anonymous_id"})


def make_space(**rules: Any) -> Space:
    """A space from short rules: `types` are added to the default ones, or take their place by name."""
    changed = [msgspec.convert(each, IdentifierType) for each in rules.pop("types", ())]
    names = {kind.name for kind in changed}
    plain = Space(id="spa_test", slug="test", name="Test")
    kept = [kind for kind in plain.identifiers if kind.name not in names]
    return msgspec.structs.replace(plain, identifiers=(*kept, *changed), **rules)


def make_event(number: int, short: dict[str, Any]) -> Event:
    """An event as the pipeline has it; `day` moves it in time, `messageId` and `type` have defaults."""
    body = dict(short)
    at = START + number * 1_000 + int(body.pop("day", 0) * DAY)
    body = {"type": "track", "messageId": f"m{number}", "context": {}, "integrations": {}, **body}
    body.setdefault("timestamp", "2024-01-01T00:00:00.000Z")
    if body["type"] == "track":
        body.setdefault("event", "Seen")
    return Event(body, "src", at, number, body["type"], body["messageId"])


class Played:
    """What events led to: the graph afterwards, and the answer for each event."""

    def __init__(
        self, space: Space, *, slice: int = 64, forgetting: bool = False, graph: GraphInMemory | None = None
    ) -> None:
        self.graph = graph or GraphInMemory()
        self.answers: list[Resolved] = []
        self.changes: list[Changes] = []
        self._compiled: Compiled = compile_space(space)
        self._slice = slice
        self._forgetting = forgetting
        self._view = View(self.graph)

    def play(self, events: Sequence[Event]) -> Played:
        for start in range(0, len(events), self._slice):
            if self._forgetting:
                self._view = View(self.graph)
            changes = Changes()
            self.answers += resolve(self._compiled, events[start : start + self._slice], self._view, changes)
            self.graph.write(changes)
            self._view.written(changes)
            self.changes.append(changes)
        return self

    def rules(self, space: Space) -> Played:
        """Go on under another state of the space: what was remembered of its graph is forgotten."""
        self._compiled = compile_space(space)
        self._view = View(self.graph)
        return self

    def names(self) -> dict[str, str]:
        """Profiles by the order in which they were made: P1, P2 are people, A1, A2 companies."""
        named: dict[str, str] = {}
        numbers = {"users": 0, "accounts": 0}
        for profile in self.graph.nodes.values():
            numbers[profile.collection] += 1
            named[profile.id] = f"{'P' if profile.collection == 'users' else 'A'}{numbers[profile.collection]}"
        return named
