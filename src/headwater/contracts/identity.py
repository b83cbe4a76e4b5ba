"""A whole identity graph in memory, as a double of the one in the store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headwater.spec.graph import Changes, Component, Known, Link, Merge, NewProfile, ParentLink, Violation


class GraphInMemory:
    """One space's graph: takes changes as the store does, and answers what a View asks."""

    def __init__(self) -> None:
        self.nodes: dict[str, NewProfile] = {}
        self.canonical: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.links: dict[str, Link] = {}
        self.removed: list[Link] = []
        self.merges: dict[str, Merge] = {}
        self.violations: dict[str, Violation] = {}
        self.groups: set[tuple[str, str]] = set()
        self.parents: dict[str, ParentLink] = {}
        self.apart: set[tuple[str, str]] = set()

    def write(self, changes: Changes) -> None:
        """Apply changes. Raises AssertionError when they are based on what is no longer so."""
        for profile_id, version in changes.based_on.items():
            assert self.canonical[profile_id] == profile_id
            assert self.versions[profile_id] == version
            self.versions[profile_id] += 1
        for profile in changes.profiles:
            assert profile.id not in self.nodes
            self.nodes[profile.id] = profile
            self.canonical[profile.id] = profile.id
            self.versions[profile.id] = 1
        for link in changes.links:
            assert link.identifier not in self.links
            self.links[link.identifier] = link
        for merge in changes.merges:
            self.merges[merge.id] = merge
            for node, root in self.canonical.items():
                if root == merge.merged_id:
                    self.canonical[node] = merge.survivor_id
        self.violations |= {violation.id: violation for violation in changes.violations}
        for link in changes.parents:
            if link.child_id not in self.parents or link.order > self.parents[link.child_id].order:
                self.parents[link.child_id] = link
        self.groups |= {(link.user_id, link.account_id) for link in changes.groups}

    def remove(self, identifier: str, at: int) -> None:
        """Take an identifier away, as `store.components.remove` does; the space's `rewired` is the caller's."""
        link = self.links.pop(identifier)
        self.removed.append(msgspec.structs.replace(link, removed_at=at))
        self.versions[self.canonical[link.profile_id]] += 1

    def owners(self, identifiers: Sequence[str]) -> dict[str, str]:
        return {each: self.canonical[self.links[each].profile_id] for each in identifiers if each in self.links}

    def profiles(self, ids: Sequence[str]) -> list[Known]:
        return [self._known(id) for id in ids if self.canonical.get(id) == id]

    def _known(self, id: str) -> Known:
        members = {node for node, root in self.canonical.items() if root == id}
        links = {
            key: (link.profile_id, link.cause.at) for key, link in self.links.items() if link.profile_id in members
        }
        apart = {pair[1 - side] for pair in self.apart for side in (0, 1) if pair[side] in members}
        return Known(id, self.nodes[id].created_at, self.versions[id], links, members, apart)

    def people(self) -> set[frozenset[str]]:
        """The identifiers of each canonical profile."""
        found: dict[str, set[str]] = {}
        for key, link in self.links.items():
            found.setdefault(self.canonical[link.profile_id], set()).add(key)
        return {frozenset(keys) for keys in found.values()}

    def component(self, root: str) -> Component:
        """Everything about one canonical profile."""
        members = {node: self.nodes[node].created_at for node, one in self.canonical.items() if one == root}
        return Component(
            root,
            self.nodes[root].collection,
            members,
            tuple(link for link in self.links.values() if link.profile_id in members),
            tuple(merge for merge in self.merges.values() if merge.left_id in members),
            tuple(link for link in self.removed if link.profile_id in members),
        )
