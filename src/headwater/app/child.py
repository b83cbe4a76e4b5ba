"""A process that the supervisor starts: `python -m headwater.app.child ROLE...`, with the settings on standard input.

They come that way because they may hold secrets, which the list of processes would show. `prepare` instead of roles
makes what the first start needs and writes what it made to standard output; its status is AWAY when an engine of the
house is away.
"""

from __future__ import annotations

import sys

import msgspec

from headwater.app.shapes import AWAY
from headwater.spec.errors import HeadwaterError, Unavailable
from headwater.spec.settings import Settings

PREPARE = "prepare"


def main() -> int:
    """Run what the command line names. Returns the exit status."""
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    words = sys.argv[1:]
    if words == [PREPARE]:
        return _prepare(settings)
    from headwater.app.serve import serve_roles

    return serve_roles(settings, words, supervised=True)


def _prepare(settings: Settings) -> int:
    from headwater.app.waiting import prepared

    try:
        made = prepared(settings)
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return AWAY
    except HeadwaterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
