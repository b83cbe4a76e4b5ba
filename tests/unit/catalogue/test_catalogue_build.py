"""Building the catalogue: what it is made of is pinned, what is fresh stays, and failure says what to do."""

import json
from pathlib import Path

import pytest

from headwater.catalogue import build, place
from headwater.spec.errors import SetupError

LOCK = json.loads((place.SOURCES / "package-lock.json").read_text())["packages"]


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("@segment/action-destinations", "3.497.0"),
        # Later ones take the names that the core gives its schemas for malformed addresses, at the first event.
        ("fast-uri", "3.1.5"),
        # Used by one destination, and declared by none.
        ("xml-js", "1.6.11"),
    ],
)
def test_what_breaks_destinations_is_pinned(package: str, version: str) -> None:
    assert LOCK[f"node_modules/{package}"]["version"] == version


def test_the_lock_names_no_registry_and_runs_no_scripts() -> None:
    text = (place.SOURCES / "package-lock.json").read_text()
    assert "resolved" not in text
    assert all("integrity" in each for path, each in LOCK.items() if path)
    assert "--ignore-scripts" in build._NPM


def test_what_is_up_to_date_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stamp").write_text(build.stamp())
    assert build.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "stamp").write_text("of something else")
    assert not build.fresh(tmp_path)


def test_a_failed_build_says_what_is_unavailable_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_NPM", ("ci", "--offline", f"--cache={tmp_path / 'empty'}", "--ignore-scripts"))
    folder = tmp_path / "built"
    assert build.main([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "destinations are unavailable; all else works" in said
    assert "python -m headwater.catalogue.build" in said
    assert not folder.exists()


def test_a_step_that_fails_tells_its_last_words(tmp_path: Path) -> None:
    node = place.node()
    assert node is not None
    with pytest.raises(SetupError, match=r"Broken\.\nout of paper"):
        build._run([node, "-e", "console.error('out of paper'); process.exit(1)"], tmp_path, "Broken.")
