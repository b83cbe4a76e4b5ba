"""The key that seals secrets is one for all machines of a house: who lacks it is refused, and makes none."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy.engine import Connection
from typer.testing import CliRunner

from headwater.app.cli import app
from headwater.app.house import key_file, open_store, prepare
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings
from headwater.store import sealing
from headwater.store import workspace as workspaces
from headwater.store.secrets import Secrets, key_id, read_keys


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data=str(tmp_path / "one"))
    assert prepare(made) is not None
    return made


def test_a_machine_without_the_key_is_refused_and_makes_none(settings: Settings) -> None:
    key_file(settings).unlink()
    for _ in range(2):
        with pytest.raises(SetupError, match="Copy the key file"):
            prepare(settings)
    assert not key_file(settings).exists()


def test_a_machine_with_a_key_of_its_own_is_refused_until_it_has_that_of_the_house(
    settings: Settings, tmp_path: Path
) -> None:
    other = msgspec.structs.replace(settings, key_file=str(tmp_path / "other.key"))
    Secrets.from_file(key_file(other))
    with pytest.raises(SetupError, match="sealed with the key"):
        prepare(other)
    key_file(other).write_text(key_file(settings).read_text())
    assert prepare(other) is None


def test_a_lost_key_is_given_up_by_hand(settings: Settings) -> None:
    key_file(settings).unlink()
    said = CliRunner().invoke(app, ["secrets", "rotate", "--lost", "--data", settings.data])
    assert said.exit_code == 0, said.output
    assert prepare(settings) is None


def test_a_store_from_before_notes_the_key_that_sealed_its_secrets_and_no_other(
    settings: Settings, tmp_path: Path
) -> None:
    def older(connection: Connection) -> None:
        sealing.note(connection, "")
        source = workspaces.load(connection).sources[0].id
        sealed = {"url": "https://x.org", "token": Secrets.from_file(key_file(settings)).seal("t")}
        workspaces.create_destination(connection, source_id=source, definition="webhook", name="D", settings=sealed)

    store = open_store(settings)
    store.run(older)
    other = msgspec.structs.replace(settings, key_file=str(tmp_path / "other.key"))
    Secrets.from_file(key_file(other))
    with pytest.raises(SetupError, match="sealed with the key"):
        prepare(other)
    assert prepare(settings) is None
    assert store.run(sealing.noted) == key_id(read_keys(key_file(settings)).keys[0])
    store.close()
