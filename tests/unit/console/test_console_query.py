"""Results of queries as people see them."""

from __future__ import annotations

import pytest

from headwater.console.parts.warehouses.past import KEPT, add_past, title
from headwater.console.parts.warehouses.query_tables import picking_html, quoted
from headwater.console.parts.warehouses.result import result_html
from headwater.console.parts.warehouses.values import (
    Axes,
    Found,
    as_csv,
    chart_options,
    guess,
    in_order,
    position,
    text,
)
from headwater.manage.operations.tables import QueryColumn, QueryTable

NASTY = '<img src=x onerror="alert(1)">'


def found(types: list[str], *rows: list[object]) -> Found:
    return Found([f"c{at}" for at in range(len(types))], types, [list(row) for row in rows])  # type: ignore[arg-type]


def test_time_is_drawn_across_and_numbers_up() -> None:
    rows = [[1, f"2026-01-0{day}", "x", 2.5] for day in (1, 2, 3)]
    assert guess(found(["BIGINT", "DATE", "VARCHAR", "DOUBLE"], *rows)) == Axes(1, (0, 3), "line")


def test_names_are_drawn_as_bars() -> None:
    assert guess(found(["VARCHAR", "DECIMAL(10,2)"], ["a", "1.5"])) == Axes(0, (1,), "bar")


@pytest.mark.parametrize("types", [["VARCHAR"], ["BIGINT"], ["STRUCT(a INTEGER)", "VARCHAR"]])
def test_what_has_nothing_to_draw_gets_no_chart(types: list[str]) -> None:
    assert guess(found(types, ["1"] * len(types))) is None


def test_a_chart_over_time_is_in_the_order_of_time_and_reads_decimals() -> None:
    made = found(
        ["TIMESTAMP", "DECIMAL(4,1)"], ["2026-01-02T00:00:00", "2.5"], ["2026-01-01T00:00:00", None], [None, "9"]
    )
    options = chart_options(made, Axes(0, (1,), "area"))
    assert options["series"][0]["data"] == [["2026-01-01T00:00:00", None], ["2026-01-02T00:00:00", 2.5]]


def test_rows_are_sorted_by_size_or_text_with_null_last() -> None:
    rows = [["10"], [None], ["9"], ["x"]]
    assert in_order(rows, 0, down=False) == [["9"], ["10"], ["x"], [None]]
    assert in_order(rows, 0, down=True) == [["x"], ["10"], ["9"], [None]]


def test_csv_quotes_what_must_be_quoted() -> None:
    assert (
        as_csv(found(["VARCHAR", "JSON"], ['a,"b"', {"x": 1}], [None, True]))
        == 'c0,c1\n"a,""b""","{""x"": 1}"\n,true\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd", "'+1+cmd"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1+1", "'\t=1+1"),
        ("-12.5", "-12.5"),
        ("+4912345", "+4912345"),
        (-3, "-3"),
        ("a=b", "a=b"),
    ],
)
def test_text_that_strangers_sent_is_no_formula_in_a_spreadsheet(value: object, written: str) -> None:
    assert as_csv(found(["VARCHAR"], [value])) == f"c0\n{written}\n"


@pytest.mark.parametrize(
    ("message", "sql", "place"),
    [
        ("Error\n\nLINE 2: from events wher x\n                         ^", "select 1\nfrom events wher x", (2, 18)),
        ("Error\n\nLINE 1: ...bcdefg h...\n              ^", "select a, abcdefg h, i", (1, 15)),
        ("Error without a place", "select 1", None),
        ("Error\nLINE 9: x\n        ^", "select 1", None),
    ],
)
def test_an_error_points_to_its_line_and_column(message: str, sql: str, place: tuple[int, int] | None) -> None:
    assert position(message, sql) == place


def test_values_and_names_from_outside_are_shown_as_text() -> None:
    made = Found([NASTY], [NASTY], [[NASTY], [{"a": NASTY}]])
    table = QueryTable(
        sql=NASTY,
        warehouse_id="",
        database="",
        schema="",
        name=NASTY,
        columns=[QueryColumn(name=NASTY, type=NASTY)],
        rows=1,
        fresh_at=None,
    )
    for shown in (result_html(made, made.rows, None), picking_html([table])):
        assert "<img" not in shown
        assert 'onerror="' not in shown


def test_a_column_is_quoted_where_sql_wants_it() -> None:
    assert [quoted(name) for name in ("user_id", "User", 'a"b', "1st", "größe")] == [
        "user_id",
        '"User"',
        '"a""b"',
        '"1st"',
        '"größe"',
    ]


def test_the_last_queries_are_kept_once_and_newest_first() -> None:
    past: list[str] = []
    for number in (*range(30), 25):
        past = add_past(past, f"select {number}")
    assert len(past) == KEPT
    assert past[:2] == ["select 25", "select 29"]
    assert title("select\n   1") == "select 1"


def test_values_read_as_people_write_them() -> None:
    assert [text(value) for value in (None, True, 1.5, "x", ["ü"])] == ["", "true", "1.5", "x", '["ü"]']
