"""Why two identifiers are one person: the links and merges between them, each with its cause.

Links and merges of one person make a tree, since a merge is only made between two that are not one yet. So there is
one path between two identifiers, and it is the explanation.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection

import msgspec

from headwater.spec.graph import Component, Link, Merge

Step = Link | Merge
"""One step of a path: from an identifier to its profile or back, or from one profile to another."""


class Joined(msgspec.Struct, frozen=True):
    """Where two names meet: the steps from the first to the second; none when both are one profile's own id."""

    steps: tuple[Step, ...]

    @property
    def merges(self) -> list[Merge]:
        """The merges on the way, in the order of the path."""
        return [step for step in self.steps if isinstance(step, Merge)]


def explain(component: Component, first: str, second: str) -> Joined:
    """The path between two names of one component, each an identifier or a profile's id.

    An identifier that was removed still has its explanation: a merge that it caused stays, and so does its link. Raises
    KeyError for a name that is not of this component and never was.
    """
    links = {link.identifier: link for link in (*component.removed, *component.links)}
    here, there = _profile(component, links, first), _profile(component, links, second)
    steps: list[Step] = [links[first]] if first in links else []
    steps += _path(component, here, there)
    if second in links and second != first:
        steps.append(links[second])
    return Joined(tuple(steps))


def in_force(component: Component) -> list[Merge]:
    """The merges that hold the component together."""
    return [merge for merge in component.merges if merge.undone_at is None]


def reachable(merges: Collection[Merge], start: str) -> set[str]:
    """The profiles that merges connect with one."""
    edges: defaultdict[str, list[str]] = defaultdict(list)
    for merge in merges:
        edges[merge.left_id].append(merge.right_id)
        edges[merge.right_id].append(merge.left_id)
    found, waiting = {start}, [start]
    while waiting:
        for other in edges[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _profile(component: Component, links: dict[str, Link], name: str) -> str:
    if name in component.profiles:
        return name
    return links[name].profile_id


def _path(component: Component, here: str, there: str) -> list[Merge]:
    edges: defaultdict[str, list[tuple[str, Merge]]] = defaultdict(list)
    for merge in in_force(component):
        edges[merge.left_id].append((merge.right_id, merge))
        edges[merge.right_id].append((merge.left_id, merge))
    came: dict[str, tuple[str, Merge] | None] = {here: None}
    waiting = deque([here])
    while waiting and there not in came:
        place = waiting.popleft()
        for other, merge in edges[place]:
            if other not in came:
                came[other] = (place, merge)
                waiting.append(other)
    path: list[Merge] = []
    step = came[there]
    while step is not None:
        path.append(step[1])
        step = came[step[0]]
    return path[::-1]
