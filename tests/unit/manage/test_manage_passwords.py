"""A password's digest tells nothing, is checked whoever is asked for, and knows when it has become weak."""

import asyncio

import argon2
import pytest

from headwater.manage.operations.users import CreateUser
from headwater.manage.passwords import Passwords, is_outdated
from headwater.manage.problems import Refused
from headwater.manage.reading import read


def test_a_digest_matches_its_password_and_no_other() -> None:
    async def scenario() -> None:
        passwords = Passwords()
        digest = await passwords.digest("correct horse")
        assert "correct" not in digest
        assert digest.startswith("$argon2id$")
        assert digest != await passwords.digest("correct horse")
        tries = ("correct horse", "correct horse ", "Correct horse", "")
        assert [await passwords.match(digest, one) for one in tries] == [True, False, False, False]

    asyncio.run(scenario())


def test_nobody_and_who_has_no_digest_are_matched_by_nothing() -> None:
    async def scenario() -> None:
        passwords = Passwords()
        assert [await passwords.match(None, one) for one in ("nobody's", "", "x" * 1_000)] == [False] * 3
        assert not await passwords.match("no digest at all", "x")

    asyncio.run(scenario())


def test_the_same_letters_typed_otherwise_are_the_same_password() -> None:
    async def scenario() -> None:
        passwords = Passwords()
        digest = await passwords.digest("Z\u00fcrich \ud800 \U0001f680")
        assert await passwords.match(digest, "Zu\u0308rich \ud800 \U0001f680")

    asyncio.run(scenario())


def test_a_digest_of_less_strength_is_outdated() -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert is_outdated(weak)
    assert not is_outdated(asyncio.run(Passwords().digest("correct horse")))


@pytest.mark.parametrize("password", ["", "seven77", "x" * 1_001, None, 12345678])
def test_a_password_that_is_too_short_or_too_long_is_refused_and_not_repeated(password: object) -> None:
    with pytest.raises(Refused) as refused:
        read(CreateUser, {"email": "a@b.c", "name": "A", "password": password}, strict=True)
    (problem,) = refused.value.problems
    assert problem.field == "password"
    assert "seven77" not in problem.message


@pytest.mark.parametrize("email", ["", "a", "a@", "@b", "a b@c", "a@b@c", "a@" + "b" * 253])
def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(Refused):
        read(CreateUser, {"email": email, "name": "A", "password": "correct horse"}, strict=True)
