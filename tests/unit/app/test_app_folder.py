"""The data folder is its owner's, and one house's."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.app.folder import hold, hold_roles
from headwater.app.house import prepare
from headwater.spec.errors import SetupError
from headwater.spec.settings import Settings

HOLD = "import sys; from pathlib import Path; from headwater.app.folder import hold; fd = hold(Path(sys.argv[1]));"


def _holder(folder: Path, code: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLD + code, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_house_on_a_folder_is_refused_at_once_and_told_why(tmp_path: Path) -> None:
    running = _holder(tmp_path, "print('held', flush=True); input()")
    try:
        with pytest.raises(SetupError, match=rf"already \(process {running.pid}\). Stop it"):
            hold(tmp_path, patience=3600)
    finally:
        running.kill()
        running.communicate()
    handle = hold(tmp_path)
    assert handle is not None
    os.close(handle)


def test_what_a_killed_house_left_running_keeps_the_folder_until_it_ends(tmp_path: Path) -> None:
    code = (
        "import os, subprocess; child = subprocess.Popen(['sleep', '1000'], pass_fds=(fd,), stdout=2);"
        "os.write(1, b'held\\n'); os.write(1, b'%d\\n' % child.pid); input()"
    )
    running = _holder(tmp_path, code)
    assert running.stdout is not None
    left_behind = int(running.stdout.readline())
    running.kill()
    running.communicate()
    with pytest.raises(SetupError, match="is running"):
        hold(tmp_path, patience=0)
    os.kill(left_behind, 9)
    handle = hold(tmp_path)
    assert handle is not None
    os.close(handle)


def test_nothing_in_the_data_folder_is_for_everybody(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        prepare(Settings(data=str(folder)))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"secret.key", "store.sqlite"} <= modes.keys()
    assert {name: mode for name, mode in modes.items() if mode & 0o007} == {}
    assert modes["secret.key"] == 0o600


def test_roles_share_a_folder_but_none_runs_there_twice(tmp_path: Path) -> None:
    code = "from headwater.app.folder import hold_roles; os = __import__('os'); os.close(fd);"
    code += "fds = hold_roles(Path(sys.argv[1]), ['pipeline']); print('held', flush=True); input()"
    running = _holder(tmp_path, code)
    try:
        with pytest.raises(SetupError, match=rf"role pipeline is running.*already \(process {running.pid}\)"):
            hold_roles(tmp_path, ["pipeline", "deliver"])
        with pytest.raises(SetupError, match="A house is running"):
            hold(tmp_path, patience=3600)
        for handle in hold_roles(tmp_path, ["deliver"]):
            os.close(handle)
    finally:
        running.kill()
        running.communicate()
