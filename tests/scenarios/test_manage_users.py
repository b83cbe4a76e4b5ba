"""People and their roles: made, shown, changed and removed, and nobody beyond what they may do themselves."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from manage_house import ManageHouse, running

from headwater.manage.operations import OPERATIONS
from headwater.manage.scopes import allows
from headwater.spec.roles import ROLES
from headwater.store import schema

PASSWORD = "correct horse battery"


def given(*roles: str) -> list[dict[str, Any]]:
    return [{"roleId": role} for role in roles]


async def user(house: ManageHouse, email: str, *roles: str) -> str:
    """Make a user with these roles; returns the id."""
    body = {"email": email, "name": email.partition("@")[0], "password": PASSWORD, "permissions": given(*roles)}
    return (await house.ask("POST", "/headwater/users", body)).data["user"]["id"]


async def session(house: ManageHouse, email: str) -> str:
    body = {"email": email, "password": PASSWORD}
    return (await house.ask("POST", "/headwater/sessions", body, token=None)).data["text"]


async def roles(house: ManageHouse, user_id: str) -> list[str]:
    return [one["roleId"] for one in (await house.ask("GET", f"/users/{user_id}")).data["user"]["permissions"]]


def test_users_are_made_shown_given_roles_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            workspace = (await house.ask("GET", "/")).data["workspace"]["id"]
            ada, bob = await user(house, "Ada@acme.test"), await user(house, "bob@acme.test", "source-admin")
            listed = (await house.ask("GET", "/users?pagination.count=1")).data
            assert listed["users"] == [{"id": ada, "name": "Ada", "email": "ada@acme.test"}]
            assert listed["pagination"]["totalEntries"] == 2
            whole = [{"id": workspace, "type": "WORKSPACE", "labels": []}]
            (shown,) = (await house.ask("GET", f"/users/{bob}")).data["user"]["permissions"]
            assert shown == {"roleId": "source-admin", "roleName": "Source Admin", "resources": whole}
            body = {"permissions": [{"roleId": "pii-access", "resources": [{"id": workspace, "type": "WORKSPACE"}]}]}
            for _ in range(2):
                added = (await house.ask("POST", f"/users/{bob}/permissions", body)).data["permissions"]
                assert [one["roleId"] for one in added] == ["source-admin", "pii-access"]
            body = {"permissions": given("workspace-member")}
            assert len((await house.ask("PUT", f"/users/{bob}/permissions", body)).data["permissions"]) == 1
            assert (await house.ask("PUT", f"/users/{bob}/permissions", {"permissions": []})).data["permissions"] == []
            assert (await house.ask("DELETE", f"/users?userIds={ada}&userIds=none")).status == 404
            assert (await house.ask("GET", f"/users/{ada}")).status == 200
            assert (await house.ask("DELETE", f"/users?userIds={ada},{bob}")).data == {"status": "SUCCESS"}
            assert (await house.ask("GET", "/users")).data["users"] == []
            assert (await house.ask("GET", f"/users/{ada}")).status == 404

    asyncio.run(scenario())


def test_an_email_is_of_one_user_in_whatever_case(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await user(house, "ada@acme.test")
            body = {"email": "ADA@acme.test ", "name": "Another", "password": PASSWORD}
            assert (await house.ask("POST", "/headwater/users", body)).status == 409

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("permission", "field"),
    [
        ({"roleId": "emperor"}, "permissions[0].roleId"),
        ({"roleId": "source-admin", "resources": []}, "permissions[0].resources"),
        ({"roleId": "source-admin", "resources": [{"id": "s", "type": "SOURCE"}]}, "permissions[0].resources[0].type"),
        ({"roleId": "source-admin", "resources": [{"id": "s", "type": "WORKSPACE"}]}, "permissions[0].resources[0].id"),
        (
            {
                "roleId": "source-admin",
                "resources": [{"id": "W", "type": "WORKSPACE", "labels": [{"key": "a", "value": "b"}]}],
            },
            "permissions[0].resources[0].labels",
        ),
        ({"roleId": "source-admin", "resources": [{"id": "s", "type": "PLANET"}]}, "permissions[0].resources[0].type"),
        ({}, "permissions[0].roleId"),
    ],
)
def test_a_permission_that_cannot_be_given_is_refused_and_never_widened(
    tmp_path: Path, permission: dict[str, Any], field: str
) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            workspace = (await house.ask("GET", "/")).data["workspace"]["id"]
            for resource in permission.get("resources", ()):
                resource["id"] = workspace if resource["id"] == "W" else resource["id"]
            body = {"email": "a@b.c", "name": "A", "password": PASSWORD, "permissions": [permission]}
            refused = await house.ask("POST", "/headwater/users", body)
            assert refused.status == 422
            assert refused.errors[0]["field"] == field
            assert (await house.ask("GET", "/users")).data["users"] == []

    asyncio.run(scenario())


def test_a_role_allows_its_operations_and_no_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            listed = (await house.ask("GET", "/roles")).data["roles"]
            assert [one["id"] for one in listed] == list(ROLES)
            reading = [one for one in OPERATIONS.values() if one.method == "GET" and not one.stream and one.scope]
            for role in ROLES.values():
                await user(house, f"{role.id}@acme.test", role.id)
                text = await session(house, f"{role.id}@acme.test")
                for one in reading:
                    asked = await house.ask("GET", one.path.replace("{", "").replace("}", ""), token=text)
                    assert (asked.status == 401) != allows(role.scopes, one.scope), (role.id, one.name)

    asyncio.run(scenario())


def test_a_change_of_role_counts_in_sessions_that_run(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            ada = await user(house, "ada@acme.test", "source-read-only")
            text = await session(house, "ada@acme.test")
            assert (await house.ask("GET", "/sources", token=text)).status == 200
            await house.ask("PUT", f"/users/{ada}/permissions", {"permissions": given("workspace-member")})
            refused = await house.ask("GET", "/sources", token=text)
            assert refused.status == 401
            assert 'user "ada" lacks the scope sources:read' in refused.errors[0]["message"]
            assert (await house.ask("GET", "/headwater/session", token=text)).data["session"]["scopes"] == [
                "workspace:read"
            ]

    asyncio.run(scenario())


def test_nobody_gives_takes_or_takes_over_more_than_they_have(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            owner = await user(house, "owner@acme.test", "workspace-owner")
            plain = await user(house, "plain@acme.test", "workspace-member")
            clerk = house.token("Clerk", "users:write", "workspace:read")
            more = {"permissions": given("source-read-only")}
            less = {"permissions": given("workspace-member")}
            made = {"email": "x@y.z", "name": "X", "password": PASSWORD}
            for method, path, body in (
                ("POST", "/headwater/users", {**made, **more}),
                ("POST", f"/users/{plain}/permissions", more),
                ("PUT", f"/users/{plain}/permissions", more),
                ("PUT", f"/users/{owner}/permissions", less),
                ("PUT", f"/headwater/users/{owner}/password", {"password": "mine from now on"}),
                ("DELETE", f"/users?userIds={plain},{owner}", None),
            ):
                assert (await house.ask(method, path, body, token=clerk)).status == 401, path
            assert (await roles(house, owner), await roles(house, plain)) == (["workspace-owner"], ["workspace-member"])
            for method, path, body in (
                ("POST", "/headwater/users", {**made, **less}),
                ("PUT", f"/users/{plain}/permissions", {"permissions": []}),
                ("PUT", f"/headwater/users/{plain}/password", {"password": "another password"}),
                ("DELETE", f"/users?userIds={plain}", None),
            ):
                assert (await house.ask(method, path, body, token=clerk)).status < 300, path

    asyncio.run(scenario())


def test_a_session_makes_no_token_that_may_do_more_than_its_user(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await user(house, "owner@acme.test", "workspace-owner")
            text = await session(house, "owner@acme.test")
            body = {"name": "Keeper", "scopes": ["tokens:write", "sources:read"]}
            keeper = (await house.ask("POST", "/headwater/tokens", body, token=text)).data["text"]
            short = (await house.ask("POST", "/headwater/sessions", {"token": keeper}, token=None)).data["text"]
            body = {"name": "More", "scopes": ["sources:write"]}
            assert (await house.ask("POST", "/headwater/tokens", body, token=short)).status == 401
            body = {"name": "Same", "scopes": ["sources:read"]}
            assert (await house.ask("POST", "/headwater/tokens", body, token=short)).status == 201

    asyncio.run(scenario())


def test_the_last_owner_stays_when_there_is_no_admin_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            ada, bob = [await user(house, f"{name}@acme.test", "workspace-owner") for name in ("ada", "bob")]
            text = await session(house, "ada@acme.test")
            house.store.run(
                lambda connection: connection.execute(schema.tokens.delete().where(schema.tokens.c.kind == "token"))
            )
            assert (await house.ask("DELETE", f"/users?userIds={ada},{bob}", token=text)).status == 409
            assert (await house.ask("DELETE", f"/users?userIds={bob}", token=text)).status == 200
            assert (await house.ask("DELETE", f"/users?userIds={ada}", token=text)).status == 409
            less = {"permissions": given("source-admin")}
            assert (await house.ask("PUT", f"/users/{ada}/permissions", less, token=text)).status == 409
            assert (await house.ask("GET", f"/users/{ada}", token=text)).status == 200

    asyncio.run(scenario())
