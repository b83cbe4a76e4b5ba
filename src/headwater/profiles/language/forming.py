"""From forms to queries and back. Reading a query gives the one form of it, or None where none says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final

from headwater.profiles.language.form import (
    AudienceForm,
    AudienceLine,
    EventLine,
    Form,
    FormLength,
    FormTest,
    Line,
    LineGroup,
    Times,
    TraitForm,
    TraitLine,
    normal,
)
from headwater.profiles.language.tree import (
    And,
    Compare,
    Condition,
    Context,
    Duration,
    Event,
    Filter,
    Literal,
    Not,
    Or,
    Place,
    Property,
    Query,
    Reduced,
    Scalar,
    Size,
    Stream,
    Trait,
    Where,
    Within,
    both,
    either,
)
from headwater.profiles.language.words import COMPARATORS

_TIMES: Final[dict[Times, str]] = {"at_least": "at_least", "exactly": "equals", "at_most": "at_most"}
_READ: Final[dict[str, Times]] = {by: times for times, by in _TIMES.items()}


class _NoForm(Exception):
    """The query has parts that no form has."""


def write_form(form: Form, audiences: Set[str] = frozenset()) -> Query:
    """The query that a form says. It may still be against the rules, which `check` tells of its text.

    A form without a line says nothing; it is a query that `check` refuses.
    """
    form = normal(form, audiences)
    if isinstance(form, TraitForm):
        return Query(_reduced(form))
    joined, other = (both, either) if form.join == "all" else (either, both)
    parts = [
        other([_condition(line) for line in part.lines], Place()) if isinstance(part, LineGroup) else _condition(part)
        for part in form.parts
    ]
    return Query(joined(parts, Place()) if parts else Literal(value=True))


def read_form(query: Query, audiences: Set[str] = frozenset()) -> Form | None:
    """The form that says what a query says; None when it is written by hand. `audiences` are the keys that exist."""
    try:
        body = query.body
        return _audience(body, audiences) if isinstance(body, Condition) else _trait(body)
    except _NoForm:
        return None


# Writing


def _condition(line: Line) -> Condition:
    match line:
        case EventLine():
            counted = Reduced(stream=_stream(line.event, line.where, line.within), by="count")
            return Compare(left=counted, by=_TIMES[line.times], arguments=(Literal(value=line.count),))
        case TraitLine():
            return Compare(left=Trait(name=line.name), by=line.by, arguments=_arguments(line))
        case AudienceLine():
            inside = Compare(left=Trait(name=line.key), by="equals", arguments=(Literal(value=True),))
            return inside if line.inside else Not(part=inside)


def _reduced(form: TraitForm) -> Scalar:
    stream = _stream(form.event, form.where, form.within)
    if form.makes == "count":
        return Reduced(stream=stream, by="count")
    of = Property(name=form.name) if form.field == "property" else Context(name=form.name)
    match form.makes:
        case "unique_count":
            return Size(of=Reduced(stream=stream, by="unique", of=of))
        case "min" | "max":
            return Reduced(stream=stream, by=form.makes, of=of, reading="number")
        case _:
            return Reduced(stream=stream, by=form.makes, of=of, least=form.least)


def _stream(event: str, where: Sequence[FormTest], within: FormLength | None) -> Stream:
    filters: list[Filter] = []
    if where:
        filters.append(Where(condition=both([_test(one) for one in where], Place())))
    if within is not None:
        filters.append(Within(duration=Duration(within.amount, within.unit)))
    return Stream(of=Event(name=event), filters=tuple(filters))


def _test(test: FormTest) -> Condition:
    left = Property(name=test.name) if test.of == "property" else Context(name=test.name)
    return Compare(left=left, by=test.by, arguments=_arguments(test))


def _arguments(line: TraitLine | FormTest) -> tuple[Scalar | Duration, ...]:
    if line.length is not None:
        return (Duration(line.length.amount, line.length.unit),)
    return tuple(Literal(value=value) for value in line.values)


# Reading


def _audience(body: Condition, audiences: Set[str]) -> AudienceForm:
    if not isinstance(body, And | Or):
        return AudienceForm(parts=(_line(body, audiences),))
    parts = tuple(
        LineGroup(lines=tuple(_line(one, audiences) for one in part.parts))
        if isinstance(part, And | Or)
        else _line(part, audiences)
        for part in body.parts
    )
    return AudienceForm(join="all" if isinstance(body, And) else "any", parts=parts)


def _line(part: Condition, audiences: Set[str]) -> Line:
    if isinstance(part, Not):
        inner = _line(part.part, audiences)
        if isinstance(inner, AudienceLine) and inner.inside:
            return AudienceLine(key=inner.key, inside=False)
        if isinstance(inner, EventLine) and (inner.times, inner.count) == ("at_least", 1):
            return EventLine(event=inner.event, times="exactly", count=0, within=inner.within, where=inner.where)
    if isinstance(part, Compare) and isinstance(part.left, Reduced):
        return _event_line(part, part.left)
    if isinstance(part, Compare) and isinstance(part.left, Trait):
        values, length = _values(part)
        if part.by == "equals" and part.left.name in audiences and values[0] is True:
            return AudienceLine(key=part.left.name)
        return TraitLine(name=part.left.name, by=part.by, values=values, length=length)
    raise _NoForm


def _event_line(part: Compare, counted: Reduced) -> EventLine:
    values, _ = _values(part)
    count = values[0] if values else None
    if counted.by != "count" or part.by not in _READ or isinstance(count, bool) or not isinstance(count, int):
        raise _NoForm
    if count < 0:
        raise _NoForm
    event, where, within = _read_stream(counted.stream)
    return EventLine(event=event, times=_READ[part.by], count=count, within=within, where=where)


def _trait(body: Scalar) -> TraitForm:
    reduced = body.of if isinstance(body, Size) else body
    if not isinstance(reduced, Reduced) or reduced.reading != ("number" if reduced.by in ("min", "max") else "string"):
        raise _NoForm
    event, where, within = _read_stream(reduced.stream)
    of = reduced.of
    if of is None or (isinstance(of, Property) and of.parent):
        if reduced.by != "count":
            raise _NoForm
        return TraitForm(event=event, within=within, where=where)
    return TraitForm(
        event=event,
        makes="unique_count" if isinstance(body, Size) else reduced.by,
        name=of.name,
        field="property" if isinstance(of, Property) else "context",
        least=reduced.least,
        within=within,
        where=where,
    )


def _read_stream(stream: Stream) -> tuple[str, tuple[FormTest, ...], FormLength | None]:
    tests: list[FormTest] = []
    within: FormLength | None = None
    for one in stream.filters:
        if isinstance(one, Where):
            tests += [_read_test(part) for part in _conjunction(one.condition)]
        elif isinstance(one, Within) and not one.parent and within is None:
            within = _length(one.duration)
        else:
            raise _NoForm
    if not isinstance(stream.of, Event):
        raise _NoForm
    return stream.of.name, tuple(tests), within


def _conjunction(condition: Condition) -> Iterable[Condition]:
    return condition.parts if isinstance(condition, And) else (condition,)


def _read_test(part: Condition) -> FormTest:
    if not isinstance(part, Compare) or not isinstance(part.left, Property | Context):
        raise _NoForm
    if isinstance(part.left, Property) and part.left.parent:
        raise _NoForm
    values, length = _values(part)
    of = "property" if isinstance(part.left, Property) else "context"
    return FormTest(name=part.left.name, of=of, by=part.by, values=values, length=length)


def _values(part: Compare) -> tuple[tuple[str | int | float | bool, ...], FormLength | None]:
    """What a value is compared with: literals, or a length of time."""
    if COMPARATORS[part.by].takes == "duration":
        (duration,) = part.arguments
        assert isinstance(duration, Duration)
        return (), _length(duration)
    values = [one.value for one in part.arguments if isinstance(one, Literal)]
    if len(values) < len(part.arguments):
        raise _NoForm
    return tuple(values), None


def _length(duration: Duration) -> FormLength:
    if duration.unit == "second":
        raise _NoForm
    return FormLength(amount=duration.amount, unit=duration.unit)
