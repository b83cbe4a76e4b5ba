"""Secrets: sealed at rest, opened by any key of the file, never shown."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.errors import SetupError
from headwater.store.secrets import Secrets

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.text())
def test_what_is_sealed_opens_as_it_was(secret: str) -> None:
    secrets = Secrets([NEW])
    sealed = secrets.seal(secret)
    assert sealed.startswith("sealed:")
    assert secrets.open(sealed) == secret
    assert len(secret) < 8 or secret not in sealed.rpartition(":")[2]


def test_the_same_secret_is_never_sealed_the_same() -> None:
    secrets = Secrets([NEW])
    assert secrets.seal("a") != secrets.seal("a")


def test_sealing_again_changes_nothing() -> None:
    secrets = Secrets([NEW])
    sealed = secrets.seal("a")
    assert secrets.seal(sealed) == sealed


@pytest.mark.parametrize("secret", ["sealed:", "sealed:hello", "sealed:12345678:", "sealed:abcdefgh:QUJD"])
def test_a_secret_that_only_looks_sealed_is_sealed(secret: str) -> None:
    secrets = Secrets([NEW])
    assert secrets.seal(secret) != secret
    assert secrets.open(secrets.seal(secret)) == secret


def test_what_was_never_sealed_comes_back_as_it_is() -> None:
    assert Secrets([NEW]).open("plain") == "plain"


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    sealed = Secrets([OLD]).seal("a")
    rotated = Secrets([NEW, OLD])
    assert rotated.open(sealed) == "a"
    assert Secrets([NEW]).open(rotated.seal("a")) == "a"


def test_without_its_key_a_secret_does_not_open() -> None:
    with pytest.raises(SetupError, match="Enter it again"):
        Secrets([NEW]).open(Secrets([OLD]).seal("a"))


def test_a_secret_that_was_tampered_with_does_not_open() -> None:
    secrets = Secrets([NEW])
    sealed = secrets.seal("a secret")
    for place in range(len("sealed:"), len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(SetupError):
            secrets.open(sealed[:place] + other + sealed[place + 1 :])
    for cut in ("sealed:", "sealed:x", sealed[:-8], sealed[:16], sealed + "é"):
        with pytest.raises(SetupError):
            secrets.open(cut)


def test_neither_keys_nor_secrets_show() -> None:
    secrets = Secrets([NEW])
    assert NEW.decode() not in repr(secrets)
    assert NEW.hex() not in repr(vars(secrets))


def test_the_first_start_makes_a_key_that_only_its_owner_may_read(tmp_path: Path) -> None:
    file = tmp_path / "made" / "key"
    sealed = Secrets.from_file(file).seal("a")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Secrets.from_file(file).open(sealed) == "a"
    assert [each.name for each in file.parent.iterdir()] == ["key"]


def test_of_several_first_starts_at_once_all_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: Secrets.from_file(tmp_path / "key"), range(16)))
    sealed = [secrets.seal("a") for secrets in opened]
    assert {opened[0].open(each) for each in sealed} == {"a"}
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_key_is_rotated_by_a_new_first_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    sealed = Secrets.from_file(file).seal("a")
    file.write_text(NEW.hex() + "\n" + file.read_text())
    assert Secrets.from_file(file).open(sealed) == "a"
    assert Secrets([NEW]).open(Secrets.from_file(file).seal("b")) == "b"


@pytest.mark.parametrize("text", ["", "\n", "abc", "00" * 16, "zz" * 32, "00" * 33, "00" * 32 + "\n00"])
def test_a_key_file_that_holds_no_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(SetupError) as refusal:
        Secrets.from_file(tmp_path / "key")
    assert not text.strip() or text.strip() not in str(refusal.value)


def test_a_key_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError):
        Secrets.from_file(tmp_path / "file" / "key")
    with pytest.raises(SetupError):
        Secrets.from_file(tmp_path)
