"""Labels: marks for resources, which the workspace knows by key and value (contract: public-api 9, Labels)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Done, Label, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.spec.errors import SenderError
from headwater.store import audit, labels
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "LABEL"
Key = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_\-]{0,99}$",
        description="The key: a letter, and then letters, digits and hyphens, such as environment.",
    ),
]
Value = Annotated[str, Meta(min_length=1, max_length=100, description="The value, such as prod.")]


class ListLabels(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing is asked: all labels are listed."""


class ListLabelsAnswer(Shape, frozen=True, kw_only=True):
    """Labels, by key and value."""

    labels: list[Label]


@operation("GET", "/labels", scope="sources:read", tag="Labels")
async def list_labels(desk: Desk, request: ListLabels) -> ListLabelsAnswer:
    """List the labels of the workspace."""
    return ListLabelsAnswer(labels=[_show(one) for one in await desk.store.read(labels.every)])


class NewLabel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label."""

    key: Key
    value: Value
    description: Annotated[str, Meta(max_length=1_000, description="What it is for.")] = ""


class CreateLabel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label to make."""

    label: Annotated[NewLabel, Meta(description="The label.")]


class CreateLabelAnswer(Shape, frozen=True, kw_only=True):
    """The label."""

    label: Label


@operation("POST", "/labels", scope="sources:write", status=201, tag="Labels")
async def create_label(desk: Desk, request: CreateLabel) -> CreateLabelAnswer:
    """Make a label, to be given to sources."""
    made = labels.Label(request.label.key, request.label.value, request.label.description)

    def work(connection: Connection) -> tuple[CreateLabelAnswer, list[audit.Entry]]:
        labels.create(connection, made)
        return CreateLabelAnswer(label=_show(made)), [_note(desk, "Label Created", made.key, made.value)]

    return await change(desk, work)


class DeleteLabel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label."""

    key: Annotated[str, Meta(description="Its key.")]
    value: Annotated[str, Meta(description="Its value.")]


@operation("DELETE", "/labels/{key}/{value}", scope="sources:write", tag="Labels")
async def delete_label(desk: Desk, request: DeleteLabel) -> Done:
    """Remove a label that no source has."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        labels.delete(connection, request.key, request.value)
        for source in workspaces.load(connection).sources:
            if any((one["key"], one["value"]) == (request.key, request.value) for one in source.labels):
                message = f'The source "{source.name}" has this label; take it from there before you remove it.'
                raise SenderError(message, code="conflict", status=409)
        return Done(), [_note(desk, "Label Deleted", request.key, request.value)]

    return await change(desk, work)


def _show(label: labels.Label) -> Label:
    return Label(key=label.key, value=label.value, description=label.description or None)


def _note(desk: Desk, type: str, key: str, value: str) -> audit.Entry:
    return note(desk, type, _KIND, f"{key}:{value}", f"{key}:{value}")
