"""Who an event is about: its profile, in each space that takes its source.

`Identities` is one walk's memory of the identity graphs. It decides from that, asks the graphs for what it does not
remember, and holds what is new until the loop has written it; it writes nothing itself (`profiles/identity`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from headwater.profiles.identity.resolve import Compiled, compile_space, resolve
from headwater.profiles.identity.view import Graph, View
from headwater.spec.event import Event
from headwater.spec.graph import Changes
from headwater.spec.space import Space
from headwater.spec.workspace import Workspace

Resolve = Callable[[Sequence[Event]], None]


def nobody(events: Sequence[Event]) -> None:
    """The stage of a house without spaces: no event has a profile."""


class Place(msgspec.Struct):
    """A space, what is remembered of its graph, what the chunk at hand changed in it, and whose events it takes."""

    space: Space
    compiled: Compiled
    view: View
    changes: Changes
    takes: Callable[[str], bool]


class Identities:
    """The spaces of a walk, with their memories."""

    def __init__(self, graph: Callable[[Space], Graph], *, remembered: int) -> None:
        """`graph` opens a space's graph for reading; `remembered` is how many identifiers are kept in memory."""
        self._graph = graph
        self._remembered = remembered
        self._workspace: Workspace | None = None
        self._places: list[Place] = []

    def begin(self, workspace: Workspace) -> None:
        """Begin a chunk, under the rules of this workspace. Raises SetupError for rules that cannot be compiled."""
        if workspace is not self._workspace:
            before = {place.space.id: place for place in self._places}
            self._places = [self._place(workspace, space, before.get(space.id)) for space in workspace.spaces]
            self._workspace = workspace
        for place in self._places:
            place.changes = Changes()
            place.view.turn()

    def resolve(self, events: Sequence[Event]) -> None:
        """Set the profile of each event in its first space, in all if there are several, and its companies."""
        for place in self._places:
            space = place.space
            mine = [event for event in events if place.takes(event.source_id)]
            if mine:
                answers = resolve(place.compiled, mine, place.view, place.changes)
                for event, answer in zip(mine, answers, strict=True):
                    event.profiles = (*event.profiles, (space.id, answer.profile_id))
                    event.groups += answer.account_ids
        for event in events:
            if event.profiles:
                event.profile_id = event.profiles[0][1]

    def changes(self) -> list[tuple[str, Changes]]:
        """What the chunk changed, by the id of the space; what changed nothing is left out."""
        return [(place.space.id, place.changes) for place in self._places if place.changes]

    def written(self) -> None:
        """The changes are in the graphs now."""
        for place in self._places:
            place.view.written(place.changes)

    def forget(self) -> None:
        """The changes are not in the graphs, or the memory is behind them: begin the chunk again with none."""
        for place in self._places:
            place.view.forget()

    def _place(self, workspace: Workspace, space: Space, before: Place | None) -> Place:
        takes = workspace.takes(space)
        if before is not None and before.space == space:
            return msgspec.structs.replace(before, takes=takes)
        if before is not None and before.space.rewired == space.rewired:
            return Place(space, compile_space(space), before.view, Changes(), takes)
        return Place(space, compile_space(space), View(self._graph(space), self._remembered), Changes(), takes)


def partition_key(event: Event) -> bytes:
    """The key of the event's record in `processed`: its profile, else the user, else the anonymous user."""
    who = event.profile_id or event.body.get("userId") or event.body.get("anonymousId") or ""
    return str(who).encode("utf-8", "replace")
