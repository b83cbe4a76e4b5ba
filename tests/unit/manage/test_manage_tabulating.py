"""Lines of CSV for spreadsheets: what strangers wrote is never a formula."""

import csv
import io
from typing import Any

import pytest

from headwater.manage.tabulating import cell, line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("\n=1+1", "'\n=1+1"),
        ("-5", "-5"),
        ("+41.5", "+41.5"),
        ("gold", "gold"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (0.5, "0.5"),
        (["=1"], '["=1"]'),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_a_value_is_text_and_never_a_formula(value: Any, shown: str) -> None:
    assert cell(value) == shown


def test_a_line_comes_back_as_it_went() -> None:
    cells = ['say "hi"', "a,b", "two\nlines", ""]
    assert list(csv.reader(io.StringIO(line(cells)))) == [cells]
    assert line(["a"]) == "a\r\n"
