"""What is typed into the form of an audience, and what its page shows: nothing is lost, and strangers' text is text."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headwater.console.parts.audiences.comparisons import COMPARISONS
from headwater.console.parts.audiences.composer import problem_html
from headwater.console.parts.audiences.growth import since_nothing
from headwater.console.parts.audiences.list import told_html
from headwater.console.parts.audiences.people import person_html
from headwater.console.parts.audiences.sql import run_html
from headwater.console.parts.audiences.state import spark_html
from headwater.console.parts.audiences.told_rows import settings_of
from headwater.console.parts.audiences.values import Value, read_value, read_values, write_value, write_values
from headwater.manage.operations.computations import QueryProblem, SizePoint
from headwater.manage.operations.sql_traits import SqlRunShape
from headwater.profiles.language.words import COMPARATORS

values = (
    st.text(max_size=12) | st.integers(-(10**12), 10**12) | st.booleans() | st.sampled_from([0.5, -2.25, 1e20, "5"])
)


@given(values)
def test_a_value_that_is_shown_is_typed_the_same(value: Value) -> None:
    read = read_value(write_value(value))
    assert (read, type(read)) == (value, type(value))


@given(st.lists(values, max_size=4))
def test_values_with_commas_and_quotes_stay_apart(given_values: list[Value]) -> None:
    assert read_values(write_values(given_values)) == tuple(given_values)


def test_numbers_are_numbers_unless_they_are_quoted() -> None:
    assert read_values("pro, 50, '50', true, ada's, 'a, b'") == ("pro", 50, "50", True, "ada's", "a, b")
    assert read_value(" 12.50 ") == 12.5
    assert read_value("1-2") == "1-2"


def test_every_comparator_of_the_language_has_a_name_in_the_form() -> None:
    assert {name: one.takes for name, one in COMPARISONS.items()} == {
        name: one.takes for name, one in COMPARATORS.items()
    }


def test_what_came_before_an_audience_is_shown_as_nothing() -> None:
    points = [SizePoint(at="2026-01-31T12:00:00.000Z", size=3, entered=3, exited=0)]
    assert [(one.at, one.size) for one in since_nothing(points)] == [
        ("2026-01-31T11:00:00.000Z", 0),
        ("2026-01-31T12:00:00.000Z", 3),
    ]
    assert since_nothing([]) == []
    assert spark_html(points).count("<rect") == 24


def test_settings_of_a_connection_keep_what_the_form_does_not_show() -> None:
    before = {"flag": 7, "sendTrack": False, "enteredName": "In"}
    wanted = settings_of(before, identify=False, track=True, mobile=False, names={"enteredName": " "}, traits=["plan"])
    assert wanted == {"flag": 7, "sendIdentify": False, "traits": ["plan"]}
    plain: dict[str, Any] = {"identify": True, "track": True, "mobile": False, "names": {}, "traits": []}
    assert settings_of({}, **plain, accounts_as="identify") == {"accountsAs": "identify"}
    assert settings_of({"accountsAs": "identify"}, **plain) == {"accountsAs": "identify"}
    assert settings_of({"accountsAs": "identify"}, **plain, accounts_as="group") == {}


def test_words_of_strangers_are_escaped() -> None:
    nasty = "<img src=x>"
    problem = QueryProblem(message=nasty, expected=nasty, position=0, line=1, column=1, excerpt=nasty)
    assert nasty not in problem_html(problem)
    assert nasty not in person_html(nasty, nasty, None)
    assert nasty not in told_html([nasty])
    assert nasty not in run_html(
        SqlRunShape(started_at="", ended_at="", rows=0, changed=0, vanished=0, discarded=[], error=nasty)
    )
