"""All lanes: made when a destination is first needed, changed when the workspace changes, closed when it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from headwater.deliver.lane import Lane, Ports
from headwater.deliver.plan import LanePlan, compile_lane

if TYPE_CHECKING:
    from headwater.deliver.performing import Perform
    from headwater.spec.workspace import Destination, Workspace
    from headwater.store.secrets import Secrets
    from headwater.store.snapshot import Snapshot


class Lanes:
    """`get` answers None for a destination that is gone, switched off, or of a definition that no longer exists.

    One that is switched off may have a lane aside, for replays alone (contract: connections 6.1).
    """

    def __init__(self, snapshot: Snapshot, secrets: Secrets, ports: Ports, perform: Perform | None = None) -> None:
        self._snapshot = snapshot
        self._secrets = secrets
        self._ports = ports
        self._perform = perform
        self._workspace: Workspace | None = None
        self._destinations: dict[str, Destination] = {}
        self._lanes: dict[str, Lane] = {}
        self._aside: dict[str, Lane] = {}
        self._missed: set[str] = set()
        self.changed: set[str] = set()

    def follow(self) -> None:
        """Bring the lanes to the newest workspace known. `changed` names those that go on under other settings."""
        workspace = self._snapshot.current
        if workspace is self._workspace:
            return
        self._workspace = workspace
        self._destinations = {each.id: each for each in workspace.destinations}
        self._missed.clear()
        self._bring(self._lanes, self._destinations)
        self._bring(self._aside, {each.id: _on(each) for each in workspace.destinations if not each.enabled})

    def _bring(self, lanes: dict[str, Lane], destinations: Mapping[str, Destination]) -> None:
        """Change lanes with their destinations, and close those that have none any more."""
        for destination_id, lane in list(lanes.items()):
            destination = destinations.get(destination_id)
            if alike(destination, lane.plan.destination):
                continue
            plan = self._compile(destination) if destination else None
            if plan is None:
                lane.close()
                del lanes[destination_id]
            else:
                lane.change(plan)
                self.changed.add(destination_id)

    def get(self, destination_id: str) -> Lane | None:
        """The lane of a destination, made if need be."""
        lane = self._lanes.get(destination_id)
        if lane is None and (destination := self._destinations.get(destination_id)) is not None:
            plan = self._compile(destination)
            if plan is not None:
                lane = self._lanes[destination_id] = Lane(plan, self._ports)
        return lane

    def aside(self, destination_id: str) -> Lane | None:
        """The lane by which a destination that is switched off gets what replays send it; None if it is on or gone."""
        lane = self._aside.get(destination_id)
        if lane is None and (destination := self._destinations.get(destination_id)) is not None:
            plan = None if destination.enabled else self._compile(_on(destination))
            if plan is not None:
                lane = self._aside[destination_id] = Lane(plan, self._ports)
        return lane

    def _compile(self, destination: Destination) -> LanePlan | None:
        return compile_lane(destination, self._secrets, self._ports.settings, self._perform)

    async def look_again(self, destination_ids: set[str]) -> None:
        """Read the workspace once more if one of these is unknown: the pipeline may have seen a newer one."""
        unknown = destination_ids - self._destinations.keys() - self._missed
        if unknown:
            await self._snapshot.refresh()
            self.follow()
            self._missed |= unknown - self._destinations.keys()

    async def refresh(self) -> None:
        """Bring the lanes to the workspace as the store has it now."""
        await self._snapshot.refresh()
        self.follow()

    def made(self) -> list[Lane]:
        """The lanes that there are."""
        return [*self._lanes.values(), *self._aside.values()]

    def serve(self) -> None:
        """Let lanes that stand in line for a request have their turns."""
        self._ports.slots.serve()

    def somebody_hungry(self, but: Lane) -> bool:
        """Is there another lane that could do with more events than the chunks at hand hold?"""
        return any(lane.hungry() for lane in self._lanes.values() if lane is not but)


def alike(one: Destination | None, other: Destination) -> bool:
    """Is nothing changed? To Python true is 1 and 1.0; settings tell them apart, and versions do for all else."""
    return one is not None and one == other and repr(one.settings) == repr(other.settings)


def _on(destination: Destination) -> Destination:
    return msgspec.structs.replace(destination, enabled=True)
