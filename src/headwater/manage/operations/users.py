"""Users of the workspace and their roles (contract: public-api 9, IAM users; profiles-governance 7.1).

Segment invites people by e-mail; Headwater sends no mail, so that an owner makes the user with a first password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Done, Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.granting import (
    Permissions,
    PermissionShape,
    check_may_change,
    check_may_give,
    role_ids,
    show_permissions,
)
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.passwords import Confidential, NewPassword
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Workspace
from headwater.store import audit, users

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "USER"
UserId = Annotated[str, Meta(description="The user's id.")]


class UserShape(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """A user. Lists hold the first three fields alone; the moments are Headwater's own."""

    id: str
    name: str
    email: str
    permissions: list[PermissionShape] | None = None
    created_at: str | None = None
    signed_in_at: str | None = None


class UserAnswer(Shape, frozen=True, kw_only=True):
    """A user who was made."""

    user: UserShape


class ListUsers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of users."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListUsersAnswer(Shape, frozen=True, kw_only=True):
    """Users, oldest first, without their permissions."""

    users: list[UserShape]
    pagination: Page


@operation("GET", "/users", scope="users:read", tag="IAM Users")
async def list_users(desk: Desk, request: ListUsers) -> ListUsersAnswer:
    """List the people who may sign in."""
    found, place = page(await desk.store.read(users.list_users), request.pagination)
    shown = [UserShape(id=one.id, name=one.name, email=one.email) for one in found]
    return ListUsersAnswer(users=shown, pagination=place)


class GetUser(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user."""

    user_id: UserId


class GetUserAnswer(Shape, frozen=True, kw_only=True):
    """A user with their permissions."""

    user: UserShape


@operation("GET", "/users/{userId}", scope="users:read", tag="IAM Users")
async def get_user(desk: Desk, request: GetUser) -> GetUserAnswer:
    """Show a user with their roles."""
    found = await desk.store.read(lambda connection: users.find_user(connection, request.user_id, keep=False))
    return GetUserAnswer(user=_show(found, await desk.workspace()))


class CreateUser(Confidential, frozen=True, kw_only=True, rename="camel"):
    """A user to make."""

    email: Annotated[
        str,
        Meta(pattern=r"^\s*[^@\s]+@[^@\s]+\s*$", max_length=254, description="What they sign in with, in any case."),
    ]
    name: Name
    password: NewPassword
    permissions: Permissions = msgspec.field(default_factory=list)


@operation("POST", "/headwater/users", scope="users:write", status=201, tag="IAM Users")
async def create_user(desk: Desk, request: CreateUser) -> UserAnswer:
    """Make a user with a first password, and roles that allow at most what the caller may do."""
    workspace = await desk.workspace()
    roles = role_ids(request.permissions, workspace)
    check_may_give(desk.caller, roles)
    digest = await desk.passwords.digest(request.password)

    def work(connection: Connection) -> tuple[UserAnswer, list[audit.Entry]]:
        made = users.create_user(
            connection, email=request.email, name=request.name, digest=digest, permissions=roles, at=desk.now
        )
        return UserAnswer(user=_show(made, workspace)), [note(desk, "User Created", _KIND, made.id, made.email)]

    return await change(desk, work)


class DeleteUsers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Users to remove."""

    user_ids: Annotated[list[str], Meta(min_length=1, max_length=1000, description="The users' ids.")]


@operation("DELETE", "/users", scope="users:write", tag="IAM Users")
async def delete_users(desk: Desk, request: DeleteUsers) -> Done:
    """Remove users and end their sessions; all of them, or none when one cannot be removed."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        for user_id in request.user_ids:
            check_may_change(desk.caller, users.find_user(connection, user_id))
        gone = users.delete_users(connection, request.user_ids)
        return Done(), [note(desk, "User Removed", _KIND, user.id, user.email) for user in gone]

    return await change(desk, work)


class AddPermissionsToUser(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Roles to give to a user."""

    user_id: UserId
    permissions: Permissions


class AddPermissionsToUserAnswer(Shape, frozen=True, kw_only=True):
    """The permissions that the user has now."""

    permissions: list[PermissionShape]


@operation("POST", "/users/{userId}/permissions", scope="users:write", tag="IAM Users")
async def add_permissions_to_user(desk: Desk, request: AddPermissionsToUser) -> AddPermissionsToUserAnswer:
    """Give roles to a user, beside those that they have."""
    shown = await _set_roles(desk, request.user_id, request.permissions, beside=True)
    return AddPermissionsToUserAnswer(permissions=shown)


class ReplacePermissionsForUser(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All the roles that a user shall have."""

    user_id: UserId
    permissions: Permissions


class ReplacePermissionsForUserAnswer(Shape, frozen=True, kw_only=True):
    """The permissions that the user has now."""

    permissions: list[PermissionShape]


@operation("PUT", "/users/{userId}/permissions", scope="users:write", tag="IAM Users")
async def replace_permissions_for_user(
    desk: Desk, request: ReplacePermissionsForUser
) -> ReplacePermissionsForUserAnswer:
    """Give a user these roles and no others; their sessions may do the same from now on."""
    shown = await _set_roles(desk, request.user_id, request.permissions, beside=False)
    return ReplacePermissionsForUserAnswer(permissions=shown)


class SetPasswordOfUser(Confidential, frozen=True, kw_only=True, rename="camel"):
    """A user and a new password."""

    user_id: UserId
    password: NewPassword


@operation("PUT", "/headwater/users/{userId}/password", scope="users:write", tag="IAM Users")
async def set_password_of_user(desk: Desk, request: SetPasswordOfUser) -> Done:
    """Give a user another password, which ends their sessions."""
    digest = await desk.passwords.digest(request.password)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        user = users.find_user(connection, request.user_id)
        check_may_change(desk.caller, user)
        users.set_digest(connection, user.id, digest)
        return Done(), [note(desk, "User Password Changed", _KIND, user.id, user.email)]

    return await change(desk, work)


async def _set_roles(desk: Desk, user_id: str, permissions: Permissions, *, beside: bool) -> list[PermissionShape]:
    workspace = await desk.workspace()
    wanted = role_ids(permissions, workspace)
    check_may_give(desk.caller, wanted)

    def work(connection: Connection) -> tuple[users.User, list[audit.Entry]]:
        before = users.find_user(connection, user_id)
        if not beside:
            check_may_change(desk.caller, before)
        after = users.set_permissions(connection, user_id, [*before.permissions, *wanted] if beside else wanted)
        return after, [note(desk, "User Policy Updated", _KIND, after.id, after.email)]

    return show_permissions(await change(desk, work), workspace)


def _show(user: users.User, workspace: Workspace) -> UserShape:
    return UserShape(
        id=user.id,
        name=user.name,
        email=user.email,
        permissions=show_permissions(user, workspace),
        created_at=format_moment(user.created_at),
        signed_in_at=None if user.signed_in_at is None else format_moment(user.signed_in_at),
    )
