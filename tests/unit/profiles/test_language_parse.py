"""Reading a query is exact, bounded and undone by writing it: whatever the text, there is a query or a QueryError."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_strategies import query

from headwater.profiles.language import Query, QueryError, check, compile_query, kind_of, parse, show
from headwater.profiles.language.tree import And, Compare, Event, Literal, Reduced, Stream

WORDS = st.sampled_from(
    [
        *(
            "event('A')",
            "trait('x')",
            "property('x')",
            "literal(1)",
            "entity('e')",
            "event(",
            "context('a.b')",
            "count()",
        ),
        *(".", "(", ")", "[", "]", "{", "}", ",", ":", "=", "==", "!=", ">", ">=", "<", "<=", "$", "\\", "'", '"', "-"),
        *("where(", "within(", "between(", "1 day", "parent:", "AND", "OR", "NOT", "ANY", "ALL", "sources({exclude:"),
        *("sum(", "mode(", "as", "number", "equals(", "one_of(", "absent()", "7", "-1.5e3", "2024-01-01", "null", "\n"),
        *("true", "expires_after(", "unique(", "first(", "before_date(", "'a'", "é", "\ud800", "\0"),
    ]
)


@given(st.integers(0, 2**32).map(Random))
@settings(max_examples=100, deadline=None)
def test_what_is_written_reads_back_as_it_was(r: Random) -> None:
    for _ in range(10):
        made = query(r)
        text = show(made)
        read = parse(text)
        assert read == made
        assert show(read) == text
        check(read, kind_of(read))


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_name_and_any_text_can_be_written(text: str) -> None:
    name = text or "x"
    counted = Reduced(stream=Stream(of=Event(name=name)), by="count")
    made = Query(Compare(left=counted, by="equals", arguments=(Literal(value=text),)))
    assert parse(show(made)) == made


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map(" ".join), st.lists(WORDS).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_query_or_an_error_with_a_place(text: str) -> None:
    try:
        read = parse(text)
        compile_query(read)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert error.line >= 1
        assert error.column >= 1
        *_, line, caret = error.excerpt.split("\n")
        assert len(line) <= 120
        assert caret.strip() == "^"
    else:
        assert parse(show(read)) == read


def test_the_caret_stands_under_the_place() -> None:
    with pytest.raises(QueryError) as caught:
        parse("trait('a') = 1 AND\n\t\ttrait('b') ~ 2")
    assert (caught.value.line, caught.value.column, caught.value.position) == (2, 14, 32)
    line, caret = caught.value.excerpt.split("\n")
    assert line[caret.index("^")] == "~"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("event('A').count() == 1", "event('A').count() = 1"),
        ('EVENT("A").Count()>=1', "event('A').count().at_least(1)"),
        ("trait('a') != 1", "trait('a').differs(literal(1))"),
        ("trait('a') < 1 or trait('a') > 2 And trait('b') <= 3", "trait('a')<1 OR (trait('a')>2 AND trait('b')<=3)"),
        ("not trait('a') = 1 and trait('b') = 2", "(NOT (trait('a') = 1)) AND trait('b') = 2"),
        ("event('A').within(1 hours).count() = 1", "event('A').within(1 hour).count() = 1"),
        ("event('A').sources({exclude: ['a', 'b']}).count()", "event('A').sources({exclude: 'a', \"b\"}).count()"),
        ("trait('a').one_of(['x', 'y'])", "trait('a').one_of('x','y')"),
        ("trait('a').before_date(2024-01-01T10:00:00Z)", "trait('a').before_date('2024-01-01T10:00:00Z')"),
        ("event('A').max(property('x') as number)", "event('A').max(property('x'))"),
        ("event('A').mode(property('x'))", "event('A').mode(property('x') as string, 2)"),
        ("((trait('a') = 1 AND trait('b') = 1)) AND trait('c') = 1", "trait('a')=1 AND trait('b')=1 AND trait('c')=1"),
    ],
)
def test_two_ways_to_write_one_query(one: str, other: str) -> None:
    assert parse(one) == parse(other)


def test_fifty_expressions_are_enough() -> None:
    body = parse(" OR ".join(["trait('a') = 1"] * 50)).body
    assert not isinstance(body, And)
    with pytest.raises(QueryError, match="at most 50 expressions"):
        parse(" OR ".join(["trait('a') = 1"] * 51))
    inside = " AND ".join(["property('a') = 1"] * 50)
    with pytest.raises(QueryError, match="at most 50 expressions"):
        parse(f"event('A').where({inside}).count() >= 1")


@pytest.mark.parametrize("opening", ["(", "NOT ", "ANY ", "event('A').where("])
def test_nesting_is_bounded(opening: str) -> None:
    parse("NOT (" * 32 + "trait('a') = 1" + ")" * 32)
    with pytest.raises(QueryError, match=r"levels deep|at most 50"):
        parse(opening * 1_000)


@pytest.mark.parametrize("text", ["literal(" * 2_500, "-" * 20_000, "'" + "\\" * 20_000, "[" * 20_000, "9" * 20_000])
def test_long_texts_are_refused_in_passing(text: str) -> None:
    with pytest.raises(QueryError):
        parse(f"trait('a') = {text}"[:20_480])


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(QueryError, match="20,480 characters"):
        parse("trait('a') = 1" + " " * 20_480)
