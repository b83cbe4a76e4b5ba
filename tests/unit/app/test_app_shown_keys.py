"""What the first start made is shown once; what somebody preset is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.app.commands.banner import show_keys
from headwater.app.shapes import FirstStart
from headwater.spec.settings import Settings

FIRST = FirstStart("the-write-key", "the-admin-token")


def test_a_role_shows_the_keys_that_its_first_start_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_keys(Settings(data=str(tmp_path), write_key="the-write-key"), FIRST)
    shown = capsys.readouterr().out
    assert "the-write-key" in shown
    assert "the-admin-token" in shown


def test_a_role_shows_and_keeps_no_preset_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = Settings(data=str(tmp_path), write_key="the-write-key", admin_token="the-admin-token")
    show_keys(preset, FIRST)
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
