"""Passwords: their rules, and making and checking their digests.

A digest is made with Argon2id in the strength that its library recommends, which takes some 50 ms and 64 MB; so it is
done off the event loop, and by two at once at most. Passwords are compared in Unicode's form NFKC, because keyboards
differ in how they write the same letter (contract: profiles-governance 7.4).
"""

from __future__ import annotations

import asyncio
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 8
LONGEST = 1_000
_AT_ONCE = 2
_SECRET: dict[str, Any] = {"format": "password"}
"""What programs know a field by that must not be shown while it is typed."""

NewPassword = Annotated[
    str,
    Meta(
        min_length=SHORTEST,
        max_length=LONGEST,
        description=f"The new password: {SHORTEST} to {LONGEST} characters.",
        extra_json_schema=_SECRET,
    ),
]
KnownPassword = Annotated[
    str, Meta(max_length=LONGEST, description="The password as it is now.", extra_json_schema=_SECRET)
]
KnownToken = Annotated[str, Meta(max_length=LONGEST, description="A token's text.", extra_json_schema=_SECRET)]


class Confidential(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A Struct that holds a secret, and therefore shows nothing of itself in messages and logs."""

    def __repr__(self) -> str:
        """Its kind alone."""
        return f"{type(self).__name__}(...)"


class Passwords:
    """Makes and checks digests, a few at a time."""

    def __init__(self) -> None:
        """Nothing is computed yet."""
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def digest(self, password: str) -> str:
        """What the database may hold of a password."""
        async with self._turns:
            return await asyncio.to_thread(lambda: _hasher().hash(_plain(password)))

    async def match(self, digest: str | None, password: str) -> bool:
        """Is the digest that of the password? Without a digest it is not, which takes as long to say."""
        async with self._turns:
            return await asyncio.to_thread(_match, digest, password)


def is_outdated(digest: str) -> bool:
    """Was the digest made with less strength than today's?"""
    return _hasher().check_needs_rehash(digest)


def _match(digest: str | None, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    decoy = _decoy()
    try:
        return _hasher().verify(decoy if digest is None else digest, _plain(password)) and digest is not None
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    """Argon2 is loaded when it is needed: the command line reads the operations too."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@lru_cache(maxsize=1)
def _decoy() -> str:
    """The digest that is checked for users who do not exist, so that nobody learns by the clock that they do not."""
    return _hasher().hash(b"nobody's")


def _plain(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
