"""A rotation of the key that is killed at any moment: every secret still opens, and running it again ends it."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from headwater.store import Store, authorizations, oauth_apps
from headwater.store import workspace as workspaces
from headwater.store.rotation import rotate
from headwater.store.secrets import Secrets, read_keys, sealed_by

DYING = """
import os, signal, sys
from pathlib import Path
from headwater.store import Store
from headwater.store.rotation import rotate

def lose_a_life():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Mortal(Store):
    def run(self, change, **more):
        def dying(connection):
            answer = change(connection)
            lose_a_life()  # within the transaction
            return answer
        answer = super().run(dying, **more)
        lose_a_life()  # after it
        return answer

for folder in map(Path, sys.argv[1:]):
    left = int(folder.name)
    child = os.fork()
    if not child:
        for step in rotate(Mortal.in_folder(folder), folder / "secret.key", grace=0.0):
            lose_a_life()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
SECRETS = [f"secret {number}" for number in range(4)]


def furnish(folder: Path) -> None:
    """A house with a secret in every corner."""
    store = Store.in_folder(folder)
    store.migrate()
    secrets = Secrets.from_file(folder / "secret.key")
    sealed = [secrets.seal(text) for text in SECRETS]

    def make(connection: Any) -> None:
        workspaces.create_workspace(connection, slug="w", name="W")
        source = workspaces.create_source(connection, slug="s", name="S")
        made = partial(workspaces.create_destination, connection, source_id=source.id, definition="webhook")
        one = made(name="A", settings={"url": "https://a", "headers": {"X": sealed[0]}})
        workspaces.create_warehouse(connection, engine="postgres", name="P", settings={"password": sealed[1]})
        authorizations.grant(connection, one.id, {"access_token": sealed[2]})
        oauth_apps.keep(connection, "crm", {"clientId": "i", "clientSecret": sealed[3]})

    store.run(make)
    store.close()


def stored(folder: Path) -> list[str]:
    """What is sealed in the store, as it stands."""
    store = Store.in_folder(folder)

    def read(connection: Any) -> list[str]:
        workspace = workspaces.load(connection)
        (destination,) = workspace.destinations
        standing = authorizations.find(connection, destination.id)
        app = oauth_apps.find(connection, "crm")
        assert standing is not None
        assert app is not None
        headers = destination.settings["headers"]["X"]
        password = workspace.warehouses[0].settings["password"]
        return [headers, password, standing.tokens["access_token"], app["clientSecret"]]

    try:
        return store.run(read, write=False)
    finally:
        store.close()


def opened(folder: Path) -> list[str]:
    secrets = Secrets.from_file(folder / "secret.key")
    return [secrets.open(text) for text in stored(folder)]


def test_a_rotation_that_is_killed_at_any_moment_loses_nothing_and_is_ended_by_the_next(tmp_path: Path) -> None:
    furnish(tmp_path / "house")
    before = read_keys(tmp_path / "house" / "secret.key").keys
    lives = [0, 1, 17, 19, 22, 27, 30, 46, 60, 85, 1_000]
    for count in lives:
        shutil.copytree(tmp_path / "house", tmp_path / str(count))
    command = [sys.executable, "-c", DYING, *(str(tmp_path / str(count)) for count in lives)]
    ends = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert ends == ["-9"] * (len(lives) - 1) + ["0"]
    for count in lives:
        folder = tmp_path / str(count)
        assert opened(folder) == SECRETS, count
        store = Store.in_folder(folder)
        assert [step.stage for step in rotate(store, folder / "secret.key", grace=0.0)][-1] == "done"
        store.close()
        assert opened(folder) == SECRETS
        (key,) = read_keys(folder / "secret.key").keys
        assert key not in before
        assert len({sealed_by(text) for text in stored(folder)}) == 1
        assert sorted(each.name for each in folder.glob("secret.key*")) == ["secret.key", "secret.key.lock"]
