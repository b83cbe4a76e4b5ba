"""Previews, to whoever answers for them: begun, asked for by their ids, and ended with the role."""

from __future__ import annotations

from typing import Protocol

from headwater.profiles.computing.preview import Asked, Preview


class Previews(Protocol):
    """See `profiles.computing.preview.Previews`."""

    async def start(self, asked: Asked) -> str:
        """Begin a preview; returns its id. Raises SenderError 429 when too many wait."""
        ...

    def get(self, id: str) -> Preview:
        """A preview. Raises SenderError 404 for one that is not remembered."""
        ...

    async def close(self) -> None:
        """End all previews."""
        ...
