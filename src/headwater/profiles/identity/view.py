"""What is remembered of a space's graph: where identifiers lead, and the profiles that were looked at lately.

A view is bounded: what was not asked for lately is forgotten and read again. It is filled through a `Graph`, twice at
most for each slice of events. Changes are made in it as they are decided, so that the next event sees them; when they
cannot be written, `forget` empties it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from headwater.spec.graph import Changes, Known

T = TypeVar("T")


class Graph(Protocol):
    """Where a view reads. Both answers leave out what is not there; both may raise Unavailable."""

    def owners(self, identifiers: Sequence[str]) -> dict[str, str]:
        """The canonical profiles that identifiers lead to."""
        ...

    def profiles(self, ids: Sequence[str]) -> list[Known]:
        """Canonical profiles by their ids."""
        ...


class NoGraph:
    """A graph with nothing in it, for events that are resolved in memory alone."""

    def owners(self, identifiers: Sequence[str]) -> dict[str, str]:
        return {}

    def profiles(self, ids: Sequence[str]) -> list[Known]:
        return []


class Lately(Generic[T]):
    """A mapping that keeps between half its limit and its limit of what was used last.

    It forgets in `turn` alone, so that what one chunk of events needs stays together.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: dict[str, T] = {}
        self._old: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        """The value of a key; None when it is not remembered."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self._young[key] = value
        return value

    def put(self, key: str, value: T) -> None:
        """Remember a value."""
        self._young[key] = value

    def drop(self, key: str) -> None:
        """Forget one key."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def turn(self) -> None:
        """Forget what was not used lately, if there is too much."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class View:
    """One space's graph, as far as it is remembered."""

    def __init__(self, graph: Graph, limit: int = 500_000) -> None:
        """`limit` is the number of identifiers remembered; of profiles it is a sixteenth."""
        self._graph = graph
        self._limit = limit
        self.forget()

    def forget(self) -> None:
        """Forget everything: it may not be so in the graph."""
        self.owners: Lately[str] = Lately(self._limit)
        """Identifier to canonical profile; an empty string is known to lead nowhere."""
        self.profiles: Lately[Known] = Lately(self._limit // 16)
        self.grouped: Lately[bool] = Lately(self._limit // 16)
        """`user profile > account profile` for each link that is known to be there."""

    def turn(self) -> None:
        """Forget what was not used lately; between chunks only, as what is not written yet can be read nowhere else."""
        self.owners.turn()
        self.profiles.turn()
        self.grouped.turn()

    def learn_owners(self, identifiers: Iterable[str]) -> None:
        """Read where identifiers lead."""
        wanted = list(dict.fromkeys(identifiers))
        found = self._graph.owners(wanted)
        for identifier in wanted:
            self.owners.put(identifier, found.get(identifier, ""))

    def learn_profiles(self, ids: Iterable[str]) -> None:
        """Read profiles that are not remembered."""
        wanted = [each for each in dict.fromkeys(ids) if self.profiles.get(each) is None]
        if wanted:
            for profile in self._graph.profiles(wanted):
                self.profiles.put(profile.id, profile)

    def written(self, changes: Changes) -> None:
        """The changes are in the graph now: the next ones are based on what they made."""
        for profile_id, version in changes.based_on.items():
            if (found := self.profiles.get(profile_id)) is not None:
                found.version = version + 1
        for profile in changes.profiles:
            if (found := self.profiles.get(profile.id)) is not None:
                found.version = 1

    def profile(self, id: str) -> Known:
        """A canonical profile, read if need be. Raises StaleView when it is canonical no more."""
        found = self.profiles.get(id)
        if found is None:
            self.learn_profiles([id])
            found = self.profiles.get(id)
        if found is None:
            raise StaleView(id)
        return found


class StaleView(Exception):
    """What the view remembers is no longer so in the graph. Forget it all and resolve the chunk again."""
