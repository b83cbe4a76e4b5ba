"""The first page's walk, line by line: an event arrives, the tool breaks, is mended, and what was given up arrives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from headwater.contracts.house import child_environment, free_port, running_house

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAITING = """
listening() { until [ "$(grep -c '^Listening' caught)" -ge "$1" ]; do sleep 0.1; done; }
loaded() { until headwater query "select event from $1" 2>/dev/null | grep -q '^order_completed'; do sleep 0.3; done; }
trap 'kill $(jobs -p) 2>/dev/null' EXIT
"""
"""People look before they type on; a script has to be told."""


def script(port: int) -> str:
    """The blocks after the start of the house, with a port that is free, as somebody types them who waits."""
    made = [WAITING]
    tools = 0
    for block in BLOCK.findall(README.read_text())[2:]:
        for line in block.replace("9000", str(port)).splitlines():
            if line.startswith(". "):
                continue
            if line.endswith("&"):
                tools += 1
                made.append(f"{line[:-1]}>>caught &\nlistening {tools}")
            elif "from first_source." in line:
                made.append(f"loaded first_source.order_completed\n{line}")
            else:
                made.append(f"yes | {line}" if line == "headwater redrive" else line)
    return "\n".join(made)


def test_who_follows_the_first_page_sees_what_it_says(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with running_house(tmp_path, DELIVER_ALLOWED_ADDRESSES="127.0.0.1/32") as house:
        walk = subprocess.run(
            ["bash", "-c", script(free_port())],
            cwd=house.folder,
            env=child_environment(PATH=path, COLUMNS="1000"),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    said, caught = walk.stdout, (tmp_path / "caught").read_text()
    assert walk.returncode == 0, walk.stderr + said
    first, broken, mended = re.findall(r"^(?:my-first|my-second)-event\n(?:^[├└│ ].*\n)+", said, re.MULTILINE)
    assert "Webhook (webhook) delivered" in first
    assert "answered 400, BAD_REQUEST" in broken
    assert "Webhook (webhook) delivered" in mended
    assert re.search(r"^track +Order Completed +u1 ", said, re.MULTILINE), said + walk.stderr
    assert re.search(r"^my-first-event .* order_completed +Order Completed ", said, re.MULTILINE), said + walk.stderr
    assert re.findall(r"answered (\d+)$", caught, re.MULTILINE) == ["200", "400", "200"]
