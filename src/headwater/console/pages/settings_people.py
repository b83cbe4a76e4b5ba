"""People: who may sign in, and what their roles allow."""

from __future__ import annotations

import asyncio
import time

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.asking import ask_first
from headwater.console.parts.figures import ago_html
from headwater.console.parts.patched import Patched, press
from headwater.console.parts.pieces import Html, chip, empty, safe, table_html
from headwater.console.parts.settings.head import settings_head
from headwater.console.parts.settings.people import change_password, change_roles, new_person
from headwater.console.person import Person
from headwater.manage.operations.roles import ListRoles, RoleShape, list_roles
from headwater.manage.operations.users import (
    DeleteUsers,
    GetUser,
    ListUsers,
    UserShape,
    delete_users,
    get_user,
    list_users,
)
from headwater.manage.paging import Pagination

_MOST = 200


@page("/settings/people", title="Settings", scope="users:read")
async def settings_people(person: Person) -> None:
    settings_head(person, "/settings/people")
    roles = (await person.ask(list_roles, ListRoles())).roles
    view = _View(person, roles)
    with ui.element("div").classes("row-line"):
        ui.label("People sign in with an e-mail and a password.").classes("soft grow")
        if person.may("users:write"):
            ui.button("Add a person", icon="person_add", on_click=lambda: new_person(person, roles, view.look))
    view.table = Patched().on_press(view.pressed)
    with ui.element("div") as view.nobody:
        empty("Nobody signs in with a password yet", "Add yourself, so that the audit trail tells who did what.")
    await view.look()


class _View:
    """The list, for one person."""

    table: Patched
    nobody: ui.element

    def __init__(self, person: Person, roles: list[RoleShape]) -> None:
        self._person = person
        self._roles = roles
        self._found: dict[str, UserShape] = {}

    async def look(self) -> None:
        """Ask anew, and show it."""
        listed = await self._person.ask(list_users, ListUsers(pagination=Pagination(count=_MOST)))
        wanted = [self._person.ask(get_user, GetUser(user_id=one.id)) for one in listed.users]
        users = [answer.user for answer in await asyncio.gather(*wanted)]
        self._found = {one.id: one for one in users}
        self.nobody.set_visibility(not users)
        self.table.set_visibility(bool(users))
        self.table.show(_rows(users, self._person))

    async def pressed(self, verb: str, of: str) -> None:
        """Do what a row's button says, after its dialog."""
        one = self._found.get(of)
        match verb, one:
            case "roles", UserShape():
                change_roles(self._person, one, self._roles, self.look)
            case "password", UserShape():
                change_password(self._person, one, self.look)
            case "remove", UserShape():
                self._remove(one)
            case _:
                return

    def _remove(self, one: UserShape) -> None:
        async def remove() -> None:
            await self._person.ask(delete_users, DeleteUsers(user_ids=[one.id]))
            ui.notify(f"{one.name} was removed.", type="positive")
            await self.look()

        ask_first(f"Remove {one.name}?", f"{one.email} cannot sign in any more; their sessions end.", "Remove", remove)


def _rows(users: list[UserShape], person: Person) -> Html:
    now = time.time_ns() // 1_000_000
    may = person.may("users:write")
    rows = [
        (
            Html(f'<div class="clipped">{safe(one.name)}<div class="soft">{safe(one.email)}</div></div>'),
            Html(" ".join(chip(role.role_name) for role in one.permissions or ()) or '<span class="soft">none</span>'),
            Html(ago_html(one.signed_in_at, now, person.zone)),
            Html(ago_html(one.created_at, now, person.zone)),
            *((_actions(one),) if may else ()),
        )
        for one in users
    ]
    heads = ("Person", "Roles", "Signed in", "Added", *(("",) if may else ()))
    return table_html(heads, rows, right=(4,), label="People")


def _actions(one: UserShape) -> Html:
    buttons = (
        press("Roles", "roles", one.id, about=f"Change the roles of {one.name}"),
        press("Password", "password", one.id, about=f"Set the password of {one.name}"),
        press("Remove", "remove", one.id, about=f"Remove {one.name}"),
    )
    return Html(f'<div class="actions">{"".join(buttons)}</div>')
