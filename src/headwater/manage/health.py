"""Whether the parts of the house are well, for load balancers and people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec

from headwater import __version__
from headwater.eventlog.streams import STREAMS
from headwater.manage.desk import Desk
from headwater.spec.errors import HeadwaterError
from headwater.store import workspace as workspaces

_PATIENCE = 5.0


class Health(msgspec.Struct, frozen=True):
    """`ok` when every part is; `parts` names each with `ok` or what is wrong in a word."""

    ok: bool
    version: str
    parts: dict[str, str]


async def health(desk: Desk) -> Health:
    """Ask the store and the log, each for at most five seconds."""
    parts = {
        "store": await _well(desk.store.read(workspaces.version)),
        "log": await _well(desk.log.bounds(STREAMS["processed"], 0)),
    }
    return Health(all(state == "ok" for state in parts.values()), __version__, parts)


async def _well(question: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(question, _PATIENCE)
    except HeadwaterError:
        return "unavailable"
    except TimeoutError:
        return "late"
    return "ok"
