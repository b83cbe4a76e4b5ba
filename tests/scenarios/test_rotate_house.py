"""A new key for the secrets of a house that runs: nothing is restarted, and everything goes on."""

import os
import subprocess
import sys
from pathlib import Path

from downstream import recording

from headwater.contracts.house import IN_ONE_PROCESS, running_house, until
from headwater.contracts.shape import house_settings


def test_a_running_house_opens_and_seals_with_a_new_key_without_a_restart(tmp_path: Path) -> None:
    with recording() as tool, running_house(tmp_path, *IN_ONE_PROCESS) as house:
        key = house.folder / "data" / "secret.key"
        before = key.read_text()
        made = house.connect("webhook", {"url": tool.url("/hook"), "headers": {"X-Api-Key": "hush"}})

        def sent(name: str) -> dict[str, str]:
            """Send an event, and return the headers that came with it."""
            count = len(tool.at("/hook"))
            house.send("/v1/track", {"event": name, "userId": "u"})
            until(lambda: len(tool.at("/hook")) > count)
            return tool.at("/hook")[-1].headers

        assert sent("Before")["x-api-key"] == "hush"
        command = [sys.executable, "-m", "headwater", "secrets", "rotate", "--wait", "0.5", "--data", str(key.parent)]
        known = {f"HEADWATER_{name}": value for name, value in house_settings(key.parent).items()}
        command += ["--alone"] if known else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | known)
        assert done.returncode == 0, done.stderr
        assert "Rows sealed anew: 1." in done.stdout
        assert key.read_text() != before
        assert len(key.read_text().split()) == 1
        assert sent("After")["x-api-key"] == "hush"
        changed = {"settings": {"headers": {"X-Api-Key": "••••", "X-More": "shh"}}}
        house.ask("PATCH", f"/destinations/{made}", changed)
        headers = sent("Changed")
        assert (headers["x-api-key"], headers["x-more"]) == ("hush", "shh")
