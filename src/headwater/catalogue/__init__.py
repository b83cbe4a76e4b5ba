"""Segment's open-source destinations as they are: what they declare, and the worker that performs them.

In come the settings of a connection, one subscription (trigger, action, mapping) and events; out come, for each event,
what became of it, and requests through the `Exchange` that the caller hands in. The destinations run unchanged in a
process of Node.js, whose mapping, validation and batching are Segment's own code. They are trusted like any dependency
and still open no connection: every request leaves through Python, where one guard, one log and one test double stand.
The few that speak other protocols run in a worker of their own that may connect, off unless it is switched on.

The room promises that definitions cost nothing until asked for, that no worker's death, stall or growth loses a
delivery or holds up another, and that an event that kills two workers is given up. It refuses to hold tokens, to judge
when to try again, and to reach the network by itself.

The catalogue is built on the machine (`python -m headwater.catalogue.build`), because its packages are not ours to pass
on. Without it Headwater runs with its own destinations, and `missing` says why and what to do.
"""

from headwater.catalogue.asking import Refused
from headwater.catalogue.calls import Answer, Call, Ended
from headwater.catalogue.definitions import (
    HANDED_BACK,
    Hook,
    Summary,
    definition,
    dynamic_fields,
    hands_back,
    hooks,
    names,
    summaries,
)
from headwater.catalogue.place import COMMAND, missing, use, version
from headwater.catalogue.workers import Workers

__all__ = [
    "COMMAND",
    "HANDED_BACK",
    "Answer",
    "Call",
    "Ended",
    "Hook",
    "Refused",
    "Summary",
    "Workers",
    "definition",
    "dynamic_fields",
    "hands_back",
    "hooks",
    "missing",
    "names",
    "summaries",
    "use",
    "version",
]
