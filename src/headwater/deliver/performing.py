"""What performs actions that are no generators of requests: writers, and the catalogue's worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from headwater.deliver.ways import Run
    from headwater.spec.destination import Action, DestinationDefinition
    from headwater.spec.workspace import Destination, Subscription


class Performer(Protocol):
    """Whoever holds open connections and the worker for one destination."""

    def runner(
        self,
        definition: DestinationDefinition,
        action: Action,
        subscription: Subscription,
        settings: dict[str, Any],
    ) -> Run:
        """How an action of the catalogue is tried."""
        ...

    def writing(self, definition: DestinationDefinition, action: Action, settings: dict[str, Any]) -> Run:
        """How an action that declares a writer is tried."""
        ...


Perform = Callable[["Destination"], Performer]
