"""A new key for everything that is sealed, also while others read and write."""

import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from headwater.spec.errors import SetupError
from headwater.store import Store
from headwater.store import workspace as workspaces
from headwater.store.rotation import SEALED, held, prepare, prepared, rotate
from headwater.store.schema import metadata
from headwater.store.secrets import Secrets, read_keys, sealed_by

WITHOUT_SECRETS = {
    "computations.known_by",
    "computations.connections",
    "csv_uploads.discarded",
    "csv_uploads.flaws",
    "destination_filters.actions",
    "event_samples.paths",
    "loads.notices",
    "parked.notes",
    "profiles_warehouses.without_tables",
    "profiles_warehouses.resumed",
    "replays.destination_ids",
    "replays.place",
    "replays.query",
    "sources.labels",
    "spaces.filters",
    "spaces.identifiers",
    "spaces.source_ids",
    "sql_traits.last_run",
    "tokens.scopes",
    "users.permissions",
    "warehouses.source_ids",
    "warehouses.without_source_ids",
}
"""Columns of JSON in which nothing is sealed. Whoever adds one decides."""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secret.key"


def furnish(store: Store, secrets: Secrets, count: int = 3) -> None:
    def make(connection: Any) -> None:
        workspaces.create_workspace(connection, slug="w", name="W")
        source = workspaces.create_source(connection, slug="s", name="S")
        for number in range(count):
            settings = {"url": f"https://{number}", "token": secrets.seal(f"t{number}")}
            workspaces.create_destination(
                connection, source_id=source.id, definition="webhook", name=f"D{number}", settings=settings
            )

    store.run(make)


def tokens(store: Store) -> list[str]:
    return [one.settings["token"] for one in store.run(workspaces.load).destinations]


def test_every_column_that_may_hold_what_is_sealed_is_looked_at() -> None:
    found = {
        str(column) for table in metadata.tables.values() for column in table.c if isinstance(column.type, sa.JSON)
    }
    looked_at = {str(column) for column in SEALED}
    assert found - looked_at == WITHOUT_SECRETS
    assert looked_at - found == {"authorization_links.verifier"}


def test_everything_is_sealed_with_a_new_key_and_the_old_one_goes(store: Store, key: Path) -> None:
    furnish(store, Secrets.from_file(key), count=230)
    version = store.run(workspaces.version)
    (before,) = read_keys(key).keys
    waited: list[float] = []
    steps = list(rotate(store, key, grace=7.0, rest=waited.append))
    assert waited == [7.0]
    assert [step.stage for step in steps if step.stage != "sealing"] == ["key", "waiting", "removing", "done"]
    assert max(step.done for step in steps) == 232 - 1
    (after,) = read_keys(key).keys
    assert after != before
    secrets = Secrets.from_file(key)
    assert sorted(secrets.open(each) for each in tokens(store)) == sorted(f"t{number}" for number in range(230))
    assert store.run(workspaces.version) > version
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_role_that_runs_reads_and_seals_on_without_a_restart(store: Store, key: Path) -> None:
    role = Secrets.from_file(key)
    furnish(store, role)
    read_before = tokens(store)
    list(rotate(store, key, grace=0.0))
    assert sorted(role.open(each) for each in tokens(store)) == ["t0", "t1", "t2"]
    assert sorted(role.open(each) for each in read_before) == ["t0", "t1", "t2"]
    assert Secrets.from_file(key).open(role.seal("new")) == "new"


def test_what_is_sealed_with_the_old_key_during_the_rotation_is_sealed_anew_before_it_goes(
    store: Store, key: Path
) -> None:
    secrets = Secrets.from_file(key)
    furnish(store, secrets)
    late = secrets.seal("late")
    (destination, *_) = store.run(workspaces.load).destinations
    change = partial(workspaces.update_destination, destination_id=destination.id, settings={"token": late})
    list(rotate(store, key, grace=1.0, rest=lambda _: store.run(change)))
    assert sorted(Secrets.from_file(key).open(each) for each in tokens(store)) == ["late", "t1", "t2"]


def test_a_rotation_that_was_broken_off_goes_on_without_another_key(store: Store, key: Path) -> None:
    furnish(store, Secrets.from_file(key))
    steps = rotate(store, key, grace=0.0)
    for step in steps:
        if step.stage == "sealing" and step.sealed:
            break
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    new, _ = read_keys(key).keys
    list(rotate(store, key, grace=0.0))
    assert read_keys(key).keys == [new]


def test_what_no_key_opens_stays_as_it_is(store: Store, key: Path) -> None:
    furnish(store, Secrets([b"x" * 32]), count=1)
    Secrets.from_file(key)
    before = tokens(store)
    assert list(rotate(store, key, grace=0.0))[-1].stage == "done"
    assert tokens(store) == before


def test_many_machines_know_a_key_before_one_seals_with_it(store: Store, key: Path) -> None:
    furnish(store, Secrets.from_file(key))
    assert not prepared(key)
    name = prepare(key)
    assert prepare(key) == name
    assert prepared(key)
    other = Secrets.from_file(key)
    assert sealed_by(other.seal("a")) != name
    list(rotate(store, key, retire=False))
    assert {sealed_by(each) for each in tokens(store)} == {name}
    assert len(read_keys(key).keys) == 2
    assert sorted(other.open(each) for each in tokens(store)) == ["t0", "t1", "t2"]
    list(rotate(store, key, grace=0.0))
    assert len(read_keys(key).keys) == 1


def test_somebody_who_goes_on_sealing_with_the_old_key_keeps_it(store: Store, key: Path) -> None:
    stubborn = Secrets(read_keys_of(key))
    furnish(store, stubborn, count=1)
    (destination,) = store.run(workspaces.load).destinations

    def seal_again(text: str) -> None:
        store.run(
            partial(
                workspaces.update_destination, destination_id=destination.id, settings={"token": stubborn.seal(text)}
            )
        )

    with pytest.raises(SetupError, match="still seals with the old key"):
        for step in rotate(store, key, grace=0.0):
            if step.stage == "sealing" and step.done == 0:
                seal_again("again")
    assert len(read_keys(key).keys) == 2
    assert Secrets.from_file(key).open(tokens(store)[0]) == "again"


def read_keys_of(key: Path) -> list[bytes]:
    Secrets.from_file(key)
    return read_keys(key).keys


def test_one_at_a_time_rotates(store: Store, key: Path) -> None:
    Secrets.from_file(key)
    with held(key), pytest.raises(SetupError, match="being rotated already"):
        list(rotate(store, key))
