"""What the console says of uploaded files: nothing that comes from a file or a browser is read as HTML."""

from typing import Any

import pytest

from headwater.console.parts.profiles.uploads import answer_html, uploads_html
from headwater.manage.operations.csv_uploads import CsvUploadShape, FlawShape, LeftOut

NASTY = "<img src=x onerror=alert(1)>"
NOW = 1_795_000_000_000


def upload(**more: Any) -> CsvUploadShape:
    given: dict[str, Any] = {
        "id": "csv_1",
        "space_id": "spa_1",
        "name": "people.csv",
        "size": 2_000,
        "state": "taken",
        "rows": 3,
        "taken": 3,
        "left_out": [],
        "flaws": [],
        "created_by": "tok",
        "created_at": "2026-11-22T10:00:00.000Z",
        "ended_at": None,
    }
    return CsvUploadShape(**{**given, **more})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"began": NASTY}, "is sent and checked"),
        ({"problems": [NASTY, "Row 2"]}, "<li>Row 2</li>"),
        ({"problems": None}, "Nothing was taken"),
        ({"problems": ["The disk is full."], "begun": True}, "It was not taken to its end.<ul><li>The disk is full."),
        ({}, "Nothing was taken"),
        ({"csvUpload": {"rows": 3, "taken": 2}}, "Taken: 2 of 3 rows. Left out: 1 row;"),
        ({"csvUpload": {"rows": 3, "taken": 3}}, "Taken: 3 of 3 rows. They show"),
    ],
)
def test_what_came_of_a_file_is_told(told: dict[str, Any], said: str) -> None:
    shown = answer_html(told)
    assert said in shown
    assert "<img" not in shown


def test_uploads_are_listed_with_what_is_wrong() -> None:
    flaw = FlawShape(row=2, column=NASTY, message=NASTY)
    left = LeftOut(reason="too_large", meaning="It is too large.", rows=1)
    shown = uploads_html(
        [upload(name=NASTY, flaws=[flaw], left_out=[left]), upload(state="interrupted", taken=0)], NOW, "UTC"
    )
    assert "<img" not in shown
    assert "1 row: It is too large." in shown
    assert "row 2, &lt;img" in shown
    assert "Upload the same file again" in shown
    assert "No file was uploaded" in uploads_html([], NOW, "UTC")
