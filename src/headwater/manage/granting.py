"""Who may give whom which role: what a request says of permissions, and the two rules about those who give them.

Nobody gives, or takes away, what they may not do themselves; and nobody changes a user who may do more than they.
Without the second rule, whoever may set passwords could sign in as the owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headwater.manage import scopes
from headwater.manage.answers import Label, Shape
from headwater.manage.desk import Caller
from headwater.manage.problems import invalid
from headwater.spec.errors import SenderError
from headwater.spec.roles import ROLES, scopes_of
from headwater.spec.workspace import Workspace
from headwater.store.users import User

ResourceType = Literal["FUNCTION", "SOURCE", "SPACE", "WAREHOUSE", "WORKSPACE"]


class ResourceInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a role is given over."""

    id: str
    type: ResourceType
    labels: list[Label] = []


class PermissionInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role that is given over a resource; over the whole workspace when none is named."""

    role_id: str
    resources: list[ResourceInput] | None = None


Permissions = Annotated[
    list[PermissionInput],
    Meta(max_length=100, description='Roles by their ids, such as {"roleId": "source-admin"}; list_roles has them.'),
]


class ResourceShape(Shape, frozen=True, kw_only=True):
    """The resource of a permission: the workspace."""

    id: str
    type: ResourceType = "WORKSPACE"
    labels: list[Label] = msgspec.field(default_factory=list[Label])


class PermissionShape(Shape, frozen=True, kw_only=True):
    """A role that a user has."""

    role_id: str
    role_name: str
    resources: list[ResourceShape]


def role_ids(permissions: Sequence[PermissionInput], workspace: Workspace) -> list[str]:
    """The roles that these permissions give. Raises Refused for a role, or a resource, that Headwater does not have."""
    for place, one in enumerate(permissions):
        field = f"permissions[{place}]"
        if one.role_id not in ROLES:
            raise invalid(f"{field}.roleId", f'"{field}.roleId" must be one of {", ".join(ROLES)}')
        if one.resources is not None:
            _check_resources(one.resources, workspace, f"{field}.resources")
    return list(dict.fromkeys(one.role_id for one in permissions))


def check_may_give(caller: Caller, roles: Iterable[str]) -> None:
    """Raises SenderError 401 for roles that allow what the caller may not do."""
    refused = scopes.beyond(caller.scopes, scopes_of(roles))
    if refused:
        raise SenderError(
            f"Nobody gives or takes away what they may not do themselves: {', '.join(refused)}.",
            code="unauthorized",
            status=401,
        )


def check_may_change(caller: Caller, user: User) -> None:
    """Raises SenderError 401 for a user who may do more than the caller."""
    refused = scopes.beyond(caller.scopes, user.scopes)
    if refused:
        raise SenderError(
            f"Only somebody who may do as much can change this user: {', '.join(refused)}.",
            code="unauthorized",
            status=401,
        )


def show_permissions(user: User, workspace: Workspace) -> list[PermissionShape]:
    """The permissions of a user, as Segment shows them."""
    return [
        PermissionShape(
            role_id=role_id,
            role_name=ROLES[role_id].name if role_id in ROLES else role_id,
            resources=[ResourceShape(id=workspace.id)],
        )
        for role_id in user.permissions
    ]


def _check_resources(resources: Sequence[ResourceInput], workspace: Workspace, field: str) -> None:
    """A list of none, or labels, would give less than the whole workspace, which is all that can be given."""
    if not resources:
        raise invalid(field, f'"{field}" names no resource; leave it out for the whole workspace')
    for place, one in enumerate(resources):
        here = f"{field}[{place}]"
        if one.type != "WORKSPACE":
            raise invalid(f"{here}.type", f'"{here}.type" must be WORKSPACE: roles are given over the whole workspace')
        if one.id != workspace.id:
            raise invalid(f"{here}.id", f'"{here}.id" is not the id of this workspace, which is {workspace.id}')
        if one.labels:
            raise invalid(f"{here}.labels", f'"{here}.labels" must be empty: roles are not limited by labels')
