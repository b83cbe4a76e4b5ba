"""Forms and queries: whatever a form says, its text reads back as that form; other queries have none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.profiles.language import check, parse, show
from headwater.profiles.language.form import (
    AudienceForm,
    AudienceLine,
    EventLine,
    Form,
    FormLength,
    FormTest,
    LineGroup,
    TraitForm,
    TraitLine,
    normal,
)
from headwater.profiles.language.forming import read_form, write_form
from headwater.profiles.language.words import COMPARATORS

AUDIENCES = frozenset({"loyal", "b's"})

names = st.sampled_from(["plan", "loyal", "company.plan", "b's", "a\\\\.b", "Order Completed", "<b>", "naïve\n2"])
texts = st.text(max_size=12)
numbers = st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12, allow_nan=False)
lengths = st.builds(FormLength, amount=st.integers(0, 4_000), unit=st.sampled_from(["hour", "day"]))


@st.composite
def compared(draw: st.DrawFn) -> dict[str, object]:
    """A comparator with what it takes."""
    by = draw(st.sampled_from(sorted(COMPARATORS)))
    value = texts | numbers | st.booleans()
    match COMPARATORS[by].takes:
        case "nothing":
            return {"by": by}
        case "duration":
            return {"by": by, "length": draw(lengths)}
        case "values":
            return {"by": by, "values": tuple(draw(st.lists(value, min_size=1, max_size=3)))}
        case "moment":
            return {"by": by, "values": ("2024-01-31",)}
        case _:
            return {"by": by, "values": (draw(value),)}


@st.composite
def field_tests(draw: st.DrawFn) -> FormTest:
    of = draw(st.sampled_from(["property", "context"]))
    return FormTest(name=draw(names), of=of, **draw(compared()))


trait_lines = st.builds(lambda name, given: TraitLine(name=name, **given), names, compared())
wheres = st.lists(field_tests(), max_size=2).map(tuple)
event_lines = st.builds(
    EventLine,
    event=names,
    times=st.sampled_from(["at_least", "exactly", "at_most"]),
    count=st.integers(0, 10**9),
    within=st.none() | lengths,
    where=wheres,
)
audience_lines = st.builds(AudienceLine, key=st.sampled_from(sorted(AUDIENCES)), inside=st.booleans())
lines = event_lines | trait_lines | audience_lines
groups = st.builds(LineGroup, lines=st.lists(lines, max_size=3).map(tuple))
audience_forms = st.builds(
    AudienceForm,
    join=st.sampled_from(["all", "any"]),
    parts=st.lists(lines | groups, min_size=1, max_size=4).map(tuple),
).filter(lambda form: bool(normal(form, AUDIENCES).parts))
trait_forms = st.builds(
    TraitForm,
    event=names,
    makes=st.sampled_from(["count", "sum", "avg", "min", "max", "mode", "first", "last", "unique", "unique_count"]),
    name=names,
    field=st.sampled_from(["property", "context"]),
    least=st.integers(1, 9),
    within=st.none() | lengths,
    where=wheres,
)


@settings(max_examples=300, deadline=None)
@given(audience_forms | trait_forms)
def test_the_text_of_every_form_reads_back_as_that_form(form: Form) -> None:
    query = write_form(form, AUDIENCES)
    again = parse(show(query))
    assert again == query
    assert read_form(again, AUDIENCES) == normal(form, AUDIENCES)
    assert normal(normal(form, AUDIENCES), AUDIENCES) == normal(form, AUDIENCES)


def test_a_form_is_written_in_the_canonical_text() -> None:
    bought = EventLine(
        event="Order Completed",
        count=2,
        within=FormLength(amount=30),
        where=(FormTest(name="total", by="at_least", values=(50,)), FormTest(name="url", of="context", by="exists")),
    )
    either = LineGroup(lines=(TraitLine(name="plan", by="one_of", values=("pro", "team")), AudienceLine(key="loyal")))
    never = EventLine(event="Refund Asked", times="exactly", count=0)
    text = show(write_form(AudienceForm(parts=(bought, either, never, AudienceLine(key="loyal", inside=False)))))
    assert text == (
        "event('Order Completed').where(property('total') >= 50 AND context('url').exists()).within(30 days).count()"
        " >= 2 AND (trait('plan').one_of('pro', 'team') OR trait('loyal') = true)"
        " AND event('Refund Asked').count() = 0 AND NOT trait('loyal') = true"
    )
    check(parse(text))


@pytest.mark.parametrize(
    ("query", "form"),
    [
        (
            "NOT event('A').count() >= 1",
            AudienceForm(parts=(EventLine(event="A", times="exactly", count=0),)),
        ),
        (
            "event('A').within(1 day).where(property('x') = 1).where(property('y') = 2).count() >= 1",
            AudienceForm(
                parts=(
                    EventLine(
                        event="A",
                        within=FormLength(amount=1),
                        where=(FormTest(name="x", values=(1,)), FormTest(name="y", values=(2,))),
                    ),
                )
            ),
        ),
        ("event('A').mode(property('x'), 3)", TraitForm(event="A", makes="mode", name="x", least=3)),
    ],
)
def test_what_says_the_same_has_the_same_form(query: str, form: Form) -> None:
    assert read_form(parse(query)) == form


@pytest.mark.parametrize(
    "query",
    [
        "event('A').between(1 day, 2 days).count() >= 1",
        "event('A').sources({exclude: 'x'}).count() >= 1",
        "event('A').where(property('x') = 1 OR property('y') = 1).count() >= 1",
        "event('A').where(NOT event('B').within(parent: 1 day).count() >= 1).count() >= 1",
        "event('A').where(property('x') = trait('x')).count() >= 1",
        "event('A').count() > 1",
        "event('A').count() >= 1.5",
        "event('A').count() >= event('B').count()",
        "event('A').sum(property('x')) >= 1",
        "event('A').unique(property('x')).count() >= 2",
        "NOT trait('plan') = 'pro'",
        "trait('plan') = trait('wanted')",
        "ANY (trait('role') = 'admin')",
        "trait('a') = 1 AND (trait('b') = 1 OR (trait('c') = 1 AND trait('d') = 1))",
        "event('A').expires_after(1800 seconds).count()",
        "event('A').max(property('x') as string)",
        "trait('plan')",
    ],
)
def test_a_query_that_no_form_says_is_written_by_hand(query: str) -> None:
    assert read_form(parse(query)) is None
