"""The roles that users can be given (contract: public-api 9, IAM roles)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.spec.roles import ROLES


class RoleShape(Shape, frozen=True, kw_only=True):
    """A role. `scopes` is Headwater's own: what the role allows."""

    id: str
    name: str
    description: str
    scopes: list[str]


class ListRoles(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of roles."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListRolesAnswer(Shape, frozen=True, kw_only=True):
    """Roles, the mightiest first."""

    roles: list[RoleShape]
    pagination: Page


@operation("GET", "/roles", scope="users:read", tag="IAM Roles")
async def list_roles(desk: Desk, request: ListRoles) -> ListRolesAnswer:
    """List the roles that a user can be given."""
    found, place = page(list(ROLES.values()), request.pagination)
    shown = [RoleShape(id=one.id, name=one.name, description=one.sentence, scopes=list(one.scopes)) for one in found]
    return ListRolesAnswer(roles=shown, pagination=place)
