"""What performs actions that are no generators of requests: the catalogue's worker, and writers.

One is opened with deliver, and shared by all lanes; a preview opens one of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from headwater.deliver.catalogued import catalogued
from headwater.spec.errors import SetupError

if TYPE_CHECKING:
    from headwater.catalogue import Workers
    from headwater.deliver.tokens import Tokens
    from headwater.deliver.ways import Run
    from headwater.spec.destination import Action, DestinationDefinition
    from headwater.spec.workspace import Destination, Subscription


class Writing(Protocol):
    """Who holds the open connections of destinations that do not speak HTTP."""

    def writing(self, definition: DestinationDefinition, action: Action, settings: dict[str, Any]) -> Run:
        """How an action that declares a writer is tried."""
        ...


class Performer:
    """Who performs the actions of one destination."""

    def __init__(self, destination: Destination, workers: Workers, writers: Writing, tokens: Tokens | None) -> None:
        self._destination = destination
        self._workers = workers
        self._writers = writers
        self._tokens = tokens

    def runner(
        self, definition: DestinationDefinition, action: Action, subscription: Subscription, settings: dict[str, Any]
    ) -> Run:
        """How an action of the catalogue is tried. `settings` are in the clear."""
        return catalogued(
            self._workers,
            self._destination,
            action,
            subscription,
            settings=settings,
            credentials=definition.credentials,
            tokens=self._tokens if definition.authentication.startswith("oauth") else None,
        )

    def writing(self, definition: DestinationDefinition, action: Action, settings: dict[str, Any]) -> Run:
        """How an action that declares a writer is tried."""
        return self._writers.writing(definition, action, settings)


Perform = Callable[["Destination"], Performer]


def performing(workers: Workers, writers: Writing, tokens: Tokens | None) -> Perform:
    """Who performs the actions of any destination."""
    return lambda destination: Performer(destination, workers, writers, tokens)


def needed(performer: Performer | None) -> Performer:
    """Raises SetupError where there is none, as in a preview that only looks."""
    if performer is None:
        raise SetupError("Nobody performs the actions of this destination here.")
    return performer
