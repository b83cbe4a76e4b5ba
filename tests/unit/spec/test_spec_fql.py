"""FQL: every case of tests/cases/spec, and whatever else somebody writes: it is a query or an error with a place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.spec.fql import FqlError, Query, compile_query, compile_trigger, parse, show
from headwater.spec.fql.functions import FUNCTIONS
from headwater.spec.fql.glob import compile_glob
from headwater.spec.fql.lexer import MAX_BYTES
from headwater.spec.fql.parser import MAX_DEPTH
from headwater.spec.fql.tree import All, Call, Compare, List, Not, Place, Plain, Text, both, either
from headwater.spec.fql.tree import Path as Field

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```text\n(.*?)\n```", re.MULTILINE | re.DOTALL)


def cases(name: str) -> tuple[dict[str, Any], list[Any]]:
    """The event that is common to the cases, and the cases."""
    found = yaml.safe_load((ROOT / "tests" / "cases" / "spec" / f"{name}.yaml").read_text())
    common = found[0].get("common", {})
    return common, [pytest.param(case, id=case["query"]) for case in found if "query" in case]


EVENT, QUERIES = cases("fql")
TRIGGER_EVENT, TRIGGERS = cases("fql_triggers")


@pytest.mark.parametrize("case", QUERIES)
def test_a_query_holds_as_its_case_says(case: dict[str, Any]) -> None:
    query = parse(case["query"])
    assert compile_query(query)(case.get("event", EVENT)) is case["holds"]
    assert parse(show(query)) == query


@pytest.mark.parametrize("case", cases("fql_errors")[1])
def test_what_is_no_query_is_told_where_and_why(case: dict[str, Any]) -> None:
    with pytest.raises(FqlError) as caught:
        parse(case["query"])
    assert str(caught.value) == case["says"]
    assert caught.value.code == "invalid_fql"


@pytest.mark.parametrize("case", TRIGGERS)
def test_a_trigger_matches_as_its_case_says(case: dict[str, Any]) -> None:
    if "refused" not in case:
        assert compile_trigger(parse(case["query"]))(TRIGGER_EVENT) is case["holds"]
        return
    with pytest.raises(FqlError) as caught:
        compile_trigger(parse(case["query"]))
    assert str(caught.value) == case["refused"]


PAGE = (ROOT / "docs" / "reference" / "fql.md").read_text()


@pytest.mark.parametrize("text", [each for block in BLOCK.findall(PAGE) for each in block.split("\n\n")])
def test_every_example_of_the_page_can_be_used(text: str) -> None:
    assert compile_query(parse(text))(EVENT) in (True, False)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_example_of_a_function_can_be_used(function: Any) -> None:
    compile_query(parse(function.example))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("type='a'and event=\"b\"", "type = 'a' and event = \"b\""),
        ("((a)) or (b and (c))", "a or b and c"),
        ("(a or b) and !(c = 1.50)", "(a or b) and !(c = 1.5)"),
        ("\\a.b\\.c\n=\t-0.5", "a.b\\.c = -0.5"),
        ("contains( a,'b' )", "contains(a, 'b')"),
        ("a in[1,'x',]", "a in [1, 'x']"),
        (" all ", "all"),
    ],
)
def test_a_query_has_one_form(text: str, shown: str) -> None:
    assert show(parse(text)) == shown


# Any query. What is drawn is built as the parser would build it.

NAMES = st.one_of(
    st.text(min_size=1, max_size=4),
    st.sampled_from(["type", "properties", "and", "null", "all", "5", "-1", "+2", "a b", "contains", "sent_at"]),
)
FIELDS = st.builds(lambda parts: Field(parts=tuple(parts)), st.lists(NAMES, min_size=1, max_size=3))
TEXTS = st.one_of(
    st.builds(lambda text: Text(value=text.replace("'", ""), quote="'"), st.text(max_size=5)),
    st.builds(lambda text: Text(value=text.replace('"', "")), st.text(max_size=5)),
    st.builds(lambda text: Text(value=text), st.sampled_from(["a*", "[a-c]?", "a", "true", "1.2", ">="])),
)
PLAIN = st.builds(
    lambda value: Plain(value=value),
    st.one_of(
        st.sampled_from([None, True, False, 0, 1.0]),
        st.integers(-(10**20), 10**20),
        st.floats(-1e20, 1e20).map(lambda number: round(number, 6)),
    ),
)
SINGLE = st.one_of(TEXTS, PLAIN)
VALUES = st.one_of(SINGLE, st.lists(SINGLE, max_size=3).map(lambda items: List(items=tuple(items))))
LISTS = st.one_of(FIELDS, st.lists(VALUES, max_size=3).map(lambda items: List(items=tuple(items))))


@st.composite
def calls(draw: Any, of: Any, *gives: str) -> Call:
    name = draw(st.sampled_from([name for name, function in FUNCTIONS.items() if function.gives in gives]))
    return Call(name=name, arguments=tuple(draw(of) for _ in range(FUNCTIONS[name].takes)))


OPERANDS = st.one_of(FIELDS, VALUES, calls(st.one_of(FIELDS, VALUES), "bool", "number", "text"))
COMPARISONS = st.one_of(
    st.builds(
        lambda left, by, right: Compare(left=left, by=by, right=right),
        OPERANDS,
        st.sampled_from(["=", "!=", ">", ">=", "<", "<="]),
        OPERANDS,
    ),
    st.builds(lambda left, right: Compare(left=left, by="in", right=right), OPERANDS, LISTS),
)
FLAGS = st.sampled_from([None, True, False]).map(lambda value: Plain(value=value))
CONDITIONS = st.recursive(
    st.one_of(COMPARISONS, FIELDS, FLAGS, calls(OPERANDS, "bool")),
    lambda below: st.one_of(
        below.map(lambda part: Not(part=part)),
        st.lists(below, min_size=2, max_size=3).map(lambda parts: both(parts, Place())),
        st.lists(below, min_size=2, max_size=3).map(lambda parts: either(parts, Place())),
    ),
    max_leaves=6,
)
ANY_QUERY = st.one_of(CONDITIONS.map(Query), st.just(Query(All())))
JSON = st.recursive(
    st.one_of(
        st.sampled_from([None, True, False, 0, 1, 1.5, 2**70, float("nan"), float("inf"), "", "a", "\ud800", "5"]),
        st.sampled_from(["2024-01-01", "1.2.3", "[", "😀", "true", "9" * 500]),
    ),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(NAMES, below, max_size=3)),
    max_leaves=8,
)
EVENTS = st.dictionaries(NAMES, JSON, max_size=5)


@given(ANY_QUERY, EVENTS)
@settings(max_examples=150, deadline=None)
def test_every_query_can_be_written_and_answers_to_every_event(query: Query, event: dict[str, Any]) -> None:
    text = show(query)
    read = parse(text)
    assert read == query
    assert show(read) == text
    assert compile_query(read)(event) in (True, False)
    try:
        trigger = compile_trigger(read)
    except FqlError:
        return
    assert trigger(event) in (True, False)


WORDS = st.sampled_from(
    [
        *("type", "properties.x", "'a'", '"b"', "5", "-1.5", "and", "or", "in", "!", "(", ")", "[", "]", ",", "="),
        *("true", "null", "all", "contains(", "match(", "length(", "\\", "'", '"', ".", "é", "\ud800", "\0", "!="),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map(" ".join), st.lists(WORDS).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_query_or_an_error_with_a_place(text: str) -> None:
    try:
        query = parse(text)
    except FqlError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse(show(query)) == query
        compile_query(query)({})


@pytest.mark.parametrize(
    "text",
    ["(" * 5_000, "!" * 5_000, "length(" * 700, "[" * 5_000, "9" * 5_000, "'" * 5_001, "\\" * 5_001, "a." * 2_500],
)
def test_long_texts_are_refused_in_passing(text: str) -> None:
    with pytest.raises(FqlError):
        parse(text)
    with pytest.raises(FqlError):
        parse(f"a = {text}"[:MAX_BYTES])


def test_a_query_is_at_most_five_kilobytes() -> None:
    parse("a = '" + "é" * ((MAX_BYTES - 6) // 2) + "'")
    with pytest.raises(FqlError, match="longer than 5,120 bytes"):
        parse("a = '" + "é" * ((MAX_BYTES - 4) // 2) + "'")


def test_nesting_is_bounded() -> None:
    deep = "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH
    assert compile_query(parse(deep))({"a": True})
    with pytest.raises(FqlError, match="levels deep"):
        parse(f"({deep})")
    many = " and ".join(["a"] * 500)
    assert compile_query(parse(many))({"a": True})


PIECES = st.sampled_from(
    [
        *(("a", "a"), ("b", "b"), ("*", ".*"), ("?", "."), ("-", "-"), ("^", r"\^"), ("]", "]"), (r"\*", r"\*")),
        *(("[ab]", "[ab]"), ("[^a-b]", "[^ab]"), ("[*-]", "[*-]"), (r"[\]^]", r"[\]^]"), ("[^^]", r"[^\^]")),
    ]
)


@given(st.lists(PIECES, max_size=8), st.text("ab-^*]", max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_glob_matches_as_the_regular_expression_that_says_the_same(pieces: list[Any], text: str) -> None:
    glob, pattern = ("".join(both) for both in zip(*pieces, strict=True)) if pieces else ("", "")
    assert compile_glob(glob)(text) is (re.fullmatch(pattern, text, re.DOTALL) is not None)


@given(st.text("a*?[]-^\\", max_size=12), st.text(max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_glob_that_is_wrong_matches_nothing(glob: str, text: str) -> None:
    assert compile_glob(glob)(text) in (True, False)
    plain = re.sub(r"[\\\]]", "", glob)
    for wrong in (f"{plain}[", f"[{plain}", f"{plain}\\", f"{plain.replace('[', '')}[b-a]"):
        assert not compile_glob(wrong)(text)


def test_no_glob_makes_a_matcher_go_back() -> None:
    text = "a" * 32_000
    assert not compile_glob("*a" * 2_000 + "b")(text)
    assert not compile_glob("*a?" * 1_000 + "b")(text)
    assert compile_glob("*a?" * 1_000 + "*")(text)
    assert not compile_glob("*" + "?" * 2_000 + "b*")(text)
    assert compile_query(parse("match(a, b)"))({"a": text, "b": "*a" * 32_000}) is False


def test_an_event_as_it_comes_is_answered() -> None:
    body = json.loads(json.dumps(EVENT))
    assert compile_query(parse("type = 'track' and match(event, 'Button *') and properties.n > 1"))(body)
