"""Queries as forms and forms as queries, for whoever shows them as fields. Headwater's own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.problems import invalid
from headwater.profiles.language import QueryError, kind_of, parse, show
from headwater.profiles.language.form import (
    AudienceForm,
    AudienceLine,
    EventLine,
    Form,
    FormLength,
    FormTest,
    Line,
    LineGroup,
    TraitForm,
    TraitLine,
)
from headwater.profiles.language.forming import read_form, write_form
from headwater.profiles.language.words import COMPARATORS
from headwater.spec.workspace import Workspace

__all__ = [
    "AudienceForm",
    "AudienceLine",
    "EventLine",
    "Form",
    "FormLength",
    "FormTest",
    "GetFormQuery",
    "GetQueryForm",
    "Line",
    "LineGroup",
    "TraitForm",
    "TraitLine",
    "get_form_query",
    "get_query_form",
]


class GetQueryForm(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query."""

    space_id: SpaceId
    query: Annotated[str, Meta(max_length=100_000, description="The query.")]


class GetQueryFormAnswer(Shape, frozen=True, kw_only=True):
    """The form that says what the query says, or null: such a query is written by hand."""

    form: Form | None
    kind: Literal["audience", "trait"]


class GetFormQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A form."""

    space_id: SpaceId
    form: Annotated[Form, Meta(description="Lines of conditions of an audience, or what a computed trait is of.")]


class GetFormQueryAnswer(Shape, frozen=True, kw_only=True):
    """The query that the form says, in its one form."""

    query: str


@operation("POST", "/headwater/spaces/{spaceId}/query-form", scope="audiences:read", tag="Audiences", changes=False)
async def get_query_form(desk: Desk, request: GetQueryForm) -> GetQueryFormAnswer:
    """Show a query as a form, if it has the shape of one."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    try:
        query = parse(request.query)
    except QueryError as error:
        raise invalid("query", str(error)) from None
    return GetQueryFormAnswer(form=read_form(query, _audiences(workspace, space.id)), kind=kind_of(query))


@operation("POST", "/headwater/spaces/{spaceId}/form-query", scope="audiences:read", tag="Audiences", changes=False)
async def get_form_query(desk: Desk, request: GetFormQuery) -> GetFormQueryAnswer:
    """Write a form as a query; whether that can be saved is for `check_query` to say."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    _check(request.form)
    return GetFormQueryAnswer(query=show(write_form(request.form, _audiences(workspace, space.id))))


def _audiences(workspace: Workspace, space_id: str) -> frozenset[str]:
    return frozenset(one.key for one in workspace.computations if one.kind == "audience" and one.space_id == space_id)


def _check(form: Form) -> None:
    """Raises Refused for what has no text: a form without a line, or an unknown comparator, or too little for it."""
    if isinstance(form, TraitForm):
        tests: list[FormTest | TraitLine] = list(form.where)
    else:
        lines = [line for part in form.parts for line in (part.lines if isinstance(part, LineGroup) else (part,))]
        if not lines:
            raise invalid("form.parts", "A form must have a line.")
        tests = [line for line in lines if isinstance(line, TraitLine)]
        tests += [test for line in lines if isinstance(line, EventLine) for test in line.where]
    for one in tests:
        if one.by not in COMPARATORS:
            raise invalid("form", f"There is no comparator {one.by!r}.")
        takes = COMPARATORS[one.by].takes
        least, most = {"nothing": (0, 0), "duration": (0, 0), "values": (1, 100)}.get(takes, (1, 1))
        if not least <= len(one.values) <= most or (one.length is not None) != (takes == "duration"):
            raise invalid("form", f"`{one.by}` needs {_NEEDS[takes]}.")


_NEEDS = {
    "nothing": "no value",
    "duration": "a length of time",
    "values": "one value or more",
    "value": "one value",
    "scalar": "one value",
    "moment": "a day or an instant",
}
