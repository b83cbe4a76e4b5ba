"""Snake case, by which tables and columns are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.spec.naming import snake_case

NAMES = {
    "Order Completed": "order_completed",
    "accountType": "account_type",
    "userID": "user_id",
    "IDNumber": "idnumber",
    "iOS Version": "i_os_version",
    "HTMLParser": "htmlparser",
    "abc1Def": "abc_1def",
    "price2": "price2",
    "a.b": "a_b",
    "A_b": "a_b",
    "aB": "a_b",
    "foo_": "foo",
    "_x": "_x",
    "__x": "x",
    "Ünïcode": "n_code",
    "1st": "1st",
    "sampleText": "sample_text",
    "SAMPLE 2 TEXT": "sample_2_text",
    "Base64Encode": "base64_encode",
    "FOO:BAR$BAZ": "foo_bar_baz",
    "•foo˙": "foo",
    "sample___text": "sample_text",
    "order_completed": "order_completed",
    "": "",
    "…": "",
    "日本": "",
}


@pytest.mark.parametrize(("name", "snake"), NAMES.items())
def test_a_name_becomes_its_column(name: str, snake: str) -> None:
    assert snake_case(name) == snake


@given(st.text())
def test_a_column_is_made_of_small_letters_digits_and_single_underscores(name: str) -> None:
    assert re.fullmatch(r"(_?[a-z0-9]+(_[a-z0-9]+)*)?", snake_case(name))


@given(st.text())
def test_a_column_keeps_its_name(name: str) -> None:
    assert snake_case(snake_case(name)) == snake_case(name)


@pytest.mark.parametrize("length", [255, 256, 257, 30_000])
def test_long_names_are_named_by_the_same_rule(length: int) -> None:
    assert snake_case("A" + "b" * (length - 1)) == "a" + "b" * (length - 1)
