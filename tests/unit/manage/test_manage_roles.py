"""Roles give scopes that exist, add up, and leave the owner's things to the owner."""

import pytest

from headwater.manage.operations import OPERATIONS
from headwater.manage.scopes import allows, beyond, is_scope
from headwater.spec.roles import OWNER, ROLES, Role, scopes_of

every_role = pytest.mark.parametrize("role", ROLES.values(), ids=ROLES.keys())
FOR_OWNERS = {"audit:read", "tokens:read", "tokens:write", "users:read", "users:write"}


@every_role
def test_a_role_is_a_slug_a_name_and_a_sentence(role: Role) -> None:
    assert role.id == role.name.lower().replace(" ", "-")
    assert role.sentence.endswith(".")
    assert role.scopes


@every_role
def test_every_scope_of_a_role_is_of_some_use(role: Role) -> None:
    for scope in role.scopes:
        assert is_scope(scope)
        assert any(allows([scope], one.scope) for one in OPERATIONS.values()), scope


@every_role
def test_what_is_the_owners_alone_is_in_no_other_role(role: Role) -> None:
    given = [scope for scope in FOR_OWNERS if allows(role.scopes, scope)]
    assert given == ([] if role is not OWNER else sorted(given, key=given.index))


def test_every_operation_can_be_allowed_to_somebody_who_is_not_the_owner_or_is_the_owners() -> None:
    others = scopes_of(role_id for role_id in ROLES if role_id != OWNER.id)
    wanted = {one.scope for one in OPERATIONS.values() if one.scope}
    assert set(beyond(others, wanted)) <= FOR_OWNERS


def test_only_the_add_on_and_the_owner_see_what_is_in_events() -> None:
    assert [role.id for role in ROLES.values() if allows(role.scopes, "events:read")] == [
        "workspace-owner",
        "pii-access",
    ]


def test_roles_add_up_and_an_unknown_one_gives_nothing() -> None:
    together = scopes_of(["source-read-only", "pii-access", "no-role-any-more"])
    assert together == (*ROLES["source-read-only"].scopes, "events:read")
    assert scopes_of([]) == ()


def test_who_may_only_read_may_change_nothing() -> None:
    for role in ROLES.values():
        if role.id.endswith("read-only"):
            assert all(scope.endswith(":read") for scope in role.scopes)
