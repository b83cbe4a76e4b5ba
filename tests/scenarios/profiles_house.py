"""A manage role whose house knows profiles: events are resolved, written and folded as the roles do it."""

import base64
from pathlib import Path
from typing import Any

from manage_house import Answer, ManageHouse

from headwater.eventlog import Record
from headwater.eventlog.streams import PROCESSED
from headwater.pipeline.graphs import StoredGraph
from headwater.pipeline.resolve import Identities
from headwater.profiles.history import History, index_folder
from headwater.profiles.loop import Folding
from headwater.spec.event import Event, ProcessedHeader, encode_header
from headwater.spec.settings import ProfilesSettings
from headwater.spec.timestamps import format_moment, parse_moment
from headwater.spec.wire import encode
from headwater.store import graph, space_tokens
from headwater.store import workspace as workspaces

START = 1_709_287_200_000
"""2024-03-01T10:00:00.000Z: when the first event of a test is received; each following one a second later."""


class ProfilesHouse(ManageHouse):
    """A house with one space, `default`, and a token of it."""

    def __init__(self, folder: Path, *, partitions: int = 1) -> None:
        super().__init__(folder, partitions=partitions)
        self.space = self.store.run(lambda connection: workspaces.create_space(connection, slug="default", name="D"))
        self.space_token = self.make_token(self.space.id)
        self.start = START
        self._told = 0
        self._identities = Identities(lambda space: StoredGraph(self.store, space), remembered=100)

    def make_token(self, space_id: str, *, deletes: bool = False) -> str:
        return self.store.run(
            lambda connection: space_tokens.create(connection, space_id, "Reader", 1, deletes=deletes)
        )[0]

    async def tell(self, *bodies: dict[str, Any], partition: int = 0) -> None:
        """Have events resolved and published. `source` and `at` (seconds after START) are of the test alone."""
        workspace = self.store.run(workspaces.load)
        for given in bodies:
            body = {"context": {}, "integrations": {}, "type": "track", **given}
            received_at = self.start + 1000 * self._told
            at = self.start + 1000 * body.pop("at", self._told)
            if not isinstance(parse_moment(body.get("timestamp")), int):
                body["timestamp"] = format_moment(at)
            event = Event(body, body.pop("source", "web"), received_at, self._told, body["type"])
            event.message_id = body.setdefault("messageId", f"m{self._told}")
            self._told += 1
            self._identities.begin(workspace)
            self._identities.resolve([event])
            for space_id, changes in self._identities.changes():
                self.store.run(lambda connection, s=space_id, c=changes: graph.write(connection, s, c))
            self._identities.written()
            name = body.get("event" if event.type == "track" else "name") or ""
            header = ProcessedHeader(
                event.source_id,
                event.type,
                name,
                event.message_id,
                body.get("userId") or "",
                body.get("anonymousId") or "",
                received_at,
                event.profile_id,
                profiles=event.profiles if len(event.profiles) > 1 else (),
                groups=event.groups,
            )
            await self.log.append(PROCESSED, partition, [Record(b"", encode_header(header), encode(body))])

    async def fold(self) -> None:
        """Have everything that was told folded."""
        for partition in self.log.partitions(PROCESSED):
            history = History(index_folder(self.folder, partition), keep_seconds=14 * 86_400)
            folding = Folding(self.log, self.store, ProfilesSettings(), partition, history=history)
            await folding.open()
            while await folding.step(0.0):
                pass
            await folding.write()
            history.close()

    async def read(
        self, path: str, *, authorization: str | None = None, method: str = "GET", body: Any = None
    ) -> Answer:
        """Ask the Profile API below the space; a path that begins with a slash is asked as it is."""
        token = base64.b64encode(f"{self.space_token}:".encode()).decode()
        whole = path if path.startswith("/") else f"/v1/spaces/{self.space.id}/collections/{path}"
        sent = {"Authorization": authorization if authorization is not None else f"Basic {token}"}
        return await self.ask(method, whole, body, headers=sent, token=None)
