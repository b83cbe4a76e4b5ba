"""How often passwords may be guessed: so many failures a minute for one e-mail, and so many over all.

It counts in memory and holds no more entries than it allows failures, whatever is asked of it. A restart forgets them.
"""

from __future__ import annotations

from collections import deque

_MINUTE = 60_000


class Throttle:
    """Counts the tries of the last minute that did not succeed.

    Instants are milliseconds of a clock that never goes back. The instant of a request is none: it is that of the
    request's beginning, and whoever sends a body slowly chooses how long ago that was.
    """

    def __init__(self, *, per_email: int = 5, over_all: int = 50) -> None:
        """The failures of a minute after which the next try must wait."""
        self._per_email = per_email
        self._over_all = over_all
        self._failures: deque[tuple[int, str]] = deque()

    def begin(self, email: str, now: int) -> int:
        """Begin a try: 0 when it may go on, else the milliseconds until the next one may.

        It counts as failed until `succeed` is told, so that tries made at the same time count too.
        """
        while self._failures and self._failures[0][0] <= now - _MINUTE:
            self._failures.popleft()
        own = [at for at, one in self._failures if one == email]
        if len(own) >= self._per_email:
            return own[0] + _MINUTE - now
        if len(self._failures) >= self._over_all:
            return self._failures[0][0] + _MINUTE - now
        self._failures.append((now, email))
        return 0

    def succeed(self, email: str, now: int) -> None:
        """The try that began at `now` was none of a guesser; the failures before it stay counted."""
        if (now, email) in self._failures:
            self._failures.remove((now, email))
