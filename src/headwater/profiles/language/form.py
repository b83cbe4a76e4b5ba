"""Queries as forms: the shapes that most audiences and computed traits have, as data that a page can show as fields.

An audience is lines of conditions, all or any of which must hold, with groups one level deep; a computed trait is one
reduced stream of events. What does not fit is written by hand. `forming` brings forms to queries and back.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Join = Literal["all", "any"]
Times = Literal["at_least", "exactly", "at_most"]
Field = Literal["property", "context"]
Makes = Literal["count", "sum", "avg", "min", "max", "mode", "first", "last", "unique", "unique_count"]
Named = Annotated[str, Meta(max_length=1_000)]
Values = Annotated[tuple[str | int | float | bool, ...], Meta(max_length=100)]


class _Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Names in snake case inside are in camel case on the wire."""


class FormLength(_Shape, frozen=True, kw_only=True):
    """A length of time."""

    amount: Annotated[int, Meta(ge=0, le=1_000_000)]
    unit: Literal["hour", "day"] = "day"


class FormTest(_Shape, frozen=True, kw_only=True):
    """A comparison of a property of an event, or of a field of its context.

    `by` is a comparator of the language; it takes no value, one, several, or a length of time.
    """

    name: Named
    of: Field = "property"
    by: Annotated[str, Meta(max_length=40)] = "equals"
    values: Values = ()
    length: FormLength | None = None


class EventLine(_Shape, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """How often an event happened that satisfies every test of `where`; exactly 0 times is never."""

    event: Named
    times: Times = "at_least"
    count: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 1
    within: FormLength | None = None
    where: Annotated[tuple[FormTest, ...], Meta(max_length=50)] = ()


class TraitLine(_Shape, frozen=True, kw_only=True, tag_field="kind", tag="trait"):
    """A comparison of a trait, computed or not."""

    name: Named
    by: Annotated[str, Meta(max_length=40)] = "equals"
    values: Values = ()
    length: FormLength | None = None


class AudienceLine(_Shape, frozen=True, kw_only=True, tag_field="kind", tag="audience"):
    """Whether somebody is part of an audience of the space, by its key."""

    key: Named
    inside: bool = True


Line = EventLine | TraitLine | AudienceLine


class LineGroup(_Shape, frozen=True, kw_only=True, tag_field="kind", tag="group"):
    """Lines that are joined the other way than what the group is among."""

    lines: Annotated[tuple[Line, ...], Meta(max_length=50)]


class AudienceForm(_Shape, frozen=True, kw_only=True, tag_field="of", tag="audience"):
    """A condition: all or any of the parts."""

    join: Join = "all"
    parts: Annotated[tuple[EventLine | TraitLine | AudienceLine | LineGroup, ...], Meta(max_length=50)]


class TraitForm(_Shape, frozen=True, kw_only=True, tag_field="of", tag="trait"):
    """A value of the events of a name that satisfy every test of `where`.

    `name` is the property (or field of the context) that is added up, compared or listed; counting has none. `least`
    is how often the most frequent value must have occurred.
    """

    event: Named
    makes: Makes = "count"
    name: Named = ""
    field: Field = "property"
    least: Annotated[int, Meta(ge=1, le=1_000_000)] = 2
    within: FormLength | None = None
    where: Annotated[tuple[FormTest, ...], Meta(max_length=50)] = ()


Form = AudienceForm | TraitForm


def normal(form: Form, audiences: Set[str] = frozenset()) -> Form:
    """The one form that says the same: no group of a single line or alone, nothing that its kind does not read.

    `audiences` are the keys that exist: a trait of that name which must be true is being part of it.
    """
    if isinstance(form, TraitForm):
        if form.makes == "count":
            form = msgspec.structs.replace(form, name="", field="property")
        return form if form.makes == "mode" else msgspec.structs.replace(form, least=2)
    parts: list[Line | LineGroup] = []
    for part in form.parts:
        lines = part.lines if isinstance(part, LineGroup) else (part,)
        plain = tuple(_plain(line, audiences) for line in lines)
        parts += [LineGroup(lines=plain)] if len(plain) > 1 else plain
    if len(parts) != 1:
        return AudienceForm(join=form.join, parts=tuple(parts))
    (only,) = parts
    if isinstance(only, LineGroup):
        return AudienceForm(join="any" if form.join == "all" else "all", parts=only.lines)
    return AudienceForm(parts=(only,))


def _plain(line: Line, audiences: Set[str]) -> Line:
    if isinstance(line, TraitLine) and line.name in audiences and line.by == "equals":
        (value,) = line.values or ("",)
        if value is True and line.length is None:
            return AudienceLine(key=line.name)
    return line
