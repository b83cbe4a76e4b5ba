"""What is typed into the form of an audience, and what its page shows: nothing is lost, and strangers' text is text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.console.parts.audiences.comparisons import COMPARISONS
from headwater.console.parts.audiences.values import Value, read_value, read_values, write_value, write_values
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
