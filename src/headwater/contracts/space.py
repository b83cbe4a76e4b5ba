"""A space of a running house: its audiences and computed traits by the operations, its profiles by the Profile API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any, Literal

from headwater.contracts.house import RunningHouse, until
from headwater.spec.wire import JSON

_PATHS = {"audience": "audiences", "trait": "computed-traits"}


class RunningSpace:
    """The first space of a house that runs. Its methods speak HTTP, as everybody else would."""

    def __init__(self, house: RunningHouse) -> None:
        """Makes a token that reads the space's profiles."""
        self.house = house
        self.id: str = house.ask("GET", "/spaces")["spaces"][0]["id"]
        made = house.ask("POST", f"/headwater/spaces/{self.id}/tokens", {"name": "Reader"})
        self.authorization = "Basic " + base64.b64encode(f"{made['text']}:".encode()).decode()

    def define(self, kind: Literal["audience", "trait"], name: str, query: str, **more: Any) -> dict[str, Any]:
        """Make an audience or computed trait and return it; `level` is USERS unless given, the rest is its options."""
        level, options = more.pop("level", "USERS"), {"options": more} if more else {}
        if kind == "audience":
            body: dict[str, Any] = {"definition": {"query": query}, "audienceType": level, "name": name}
        else:
            body = {"definition": {"query": query, "type": level}, "name": name}
        answer = self.house.ask("POST", f"/spaces/{self.id}/{_PATHS[kind]}", body | options)
        return answer["audience" if kind == "audience" else "computedTrait"]

    def webhook(self, url: str, name: str = "Hook", **settings: Any) -> str:
        """Make an enabled webhook of the space's own source; there must be an audience or trait. Returns its id."""
        sources = self.house.ask("GET", "/sources")["sources"]
        source = next(one["id"] for one in sources if one["metadata"]["slug"] == "engage")
        body = {"sourceId": source, "metadataId": "webhook", "settings": {"url": url, **settings}, "enabled": True}
        return self.house.ask("POST", "/destinations", body | {"name": name})["destination"]["id"]

    def connect(self, computation_id: str, destination_id: str, **settings: Any) -> None:
        """Have a destination told of an audience or computed trait."""
        kind = "audience" if computation_id.startswith("aud_") else "trait"
        prefix = "" if kind == "audience" else "/headwater"
        path = f"{prefix}/spaces/{self.id}/{_PATHS[kind]}/{computation_id}/destination-connections"
        body = {"destination": {"id": destination_id, "type": "destination"}, "connectionSettings": settings}
        self.house.ask("POST", path, body)

    def progress(self, computation_id: str) -> dict[str, Any]:
        """How far a computation has come."""
        return self.house.ask("GET", f"/headwater/spaces/{self.id}/computations/{computation_id}/progress")

    def wait_for(self, *computation_ids: str) -> None:
        """Wait until these are live: everything that was is counted, and what comes is asked at once."""
        for id in computation_ids:
            until(lambda id=id: self.progress(id)["phase"] == "LIVE", what=f"for {id} to be live")

    def read(self, path: str) -> tuple[int, JSON]:
        """Ask the Profile API of what is below `collections`; returns the status and the answer."""
        url = f"{self.house.manage_url}/v1/spaces/{self.id}/collections/{path}"
        request = urllib.request.Request(url, headers={"Authorization": self.authorization})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def traits(self, identifier: str, query: str = "limit=200") -> dict[str, Any]:
        """The traits of a profile by the Profile API; none while it is not there."""
        collection = "accounts" if identifier.startswith("group_id:") else "users"
        status, answer = self.read(f"{collection}/profiles/{identifier}/traits?{query}")
        return answer["traits"] if status == 200 else {}

    def profile(self, identifier: str) -> dict[str, Any]:
        """A profile as the operation shows it. Raises AssertionError when there is none."""
        return self.house.ask("GET", f"/headwater/spaces/{self.id}/profiles/{identifier}")
